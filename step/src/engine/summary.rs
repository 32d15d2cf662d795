//! A container in few words: as a list shows it, and how it ended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::container::Container;

/// How a container ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Crash {
    /// The engine's word: `exited`, `restarting`, `running` again, …
    pub status: String,
    /// The main process's exit code.
    pub exit_code: i64,
    /// Ended by the kernel for want of memory.
    pub oom_killed: bool,
    /// How often the engine has restarted it.
    pub restarts: u32,
}

impl Crash {
    /// What the engine says of the container's end.
    pub fn of(container: &Container) -> Self {
        let state = &container.state;
        Self {
            status: state.status.clone(),
            exit_code: state.exit_code,
            oom_killed: state.oom_killed,
            restarts: container.restart_count,
        }
    }
}

/// A container, as far as a list of all shows it.
#[derive(Debug)]
pub struct ContainerSummary {
    /// Its name.
    pub name: String,
    /// The full id of its image, `sha256:…`.
    pub image: String,
    /// Its labels, the image's included.
    pub labels: BTreeMap<String, String>,
    /// The full id of the container whose network it shares.
    pub network_of: Option<String>,
    /// Links on the default network that it tells of: the name of the container that calls, and of the one called.
    pub links: Vec<(String, String)>,
}

impl From<Container> for ContainerSummary {
    fn from(container: Container) -> Self {
        Self {
            name: container.name().to_owned(),
            network_of: container.host_config.network_of(),
            links: container.host_config.links(container.name()),
            image: container.image,
            labels: container.config.labels,
        }
    }
}
