//! What a container was created with: its program, its health check, its volumes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::json::{nullable, tcp_port, words};
use crate::model::id::is_full_id;

/// As `docker stop` gives a container that says nothing (Docker's reference of `docker stop`).
pub const USUAL_GRACE: Duration = Duration::from_secs(10);

/// What a container was created with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// The image as it was named at creation.
    pub image: String,
    /// `NAME=value` pairs, the image's included.
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// Labels, the image's included.
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    exposed_ports: BTreeMap<String, serde_json::Value>,
    pub(super) hostname: String,
    /// The program's arguments.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// The program.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Vec<String>,
    /// The user it runs as.
    pub user: String,
    /// The folder it runs in.
    pub working_dir: String,
    #[serde(deserialize_with = "nullable")]
    healthcheck: Healthcheck,
    #[serde(deserialize_with = "nullable")]
    shell: Vec<String>,
    stop_timeout: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Healthcheck {
    #[serde(deserialize_with = "nullable")]
    test: Vec<String>,
}

impl Config {
    /// The words of its HEALTHCHECK as a program to run in the container, or `None` without one.
    pub fn healthcheck(&self) -> Option<Vec<String>> {
        const SHELL: [&str; 2] = ["/bin/sh", "-c"];
        let (kind, words) = self.healthcheck.test.split_first()?;
        match kind.as_str() {
            "CMD" => Some(words.to_vec()),
            "CMD-SHELL" if self.shell.is_empty() => {
                Some([&SHELL.map(str::to_owned)[..], words].concat())
            }
            "CMD-SHELL" => Some([&self.shell, words].concat()),
            _ => None,
        }
    }

    /// How long it may take to end after SIGTERM, as it was created with (`--stop-timeout`).
    pub fn stop_timeout(&self) -> Option<Duration> {
        self.stop_timeout.map(Duration::from_secs)
    }

    /// How long it may take to end after SIGTERM.
    pub fn grace(&self) -> Duration {
        self.stop_timeout().unwrap_or(USUAL_GRACE)
    }

    /// The TCP ports the image or the options expose, ascending.
    pub fn exposed(&self) -> Vec<u16> {
        let keys = self.exposed_ports.keys();
        let mut ports: Vec<u16> = keys.filter_map(|key| tcp_port(key)).collect();
        ports.sort_unstable();
        ports
    }
}

/// A volume or bind of a container.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// `volume`, `bind`, `tmpfs`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The volume's name.
    pub name: String,
    /// The path on the host.
    pub source: String,
    /// The path in the container.
    pub destination: String,
    /// Whether the container may write to it.
    #[serde(rename = "RW")]
    pub writable: bool,
}

impl Mount {
    /// A volume that the engine named itself, with 64 hex digits: no other container means it.
    pub fn is_anonymous(&self) -> bool {
        self.kind == "volume" && is_full_id(&self.name)
    }
}
