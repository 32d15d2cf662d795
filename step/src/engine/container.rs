//! What `docker container inspect` says, as far as the steps read it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::address;
use super::attachment::Attachment;
use super::config::{Config, Mount};
use super::environment::pair;
use super::json::{image_id, nullable};
use super::network::HostConfig;
use super::ports::NetworkSettings;
use crate::model::port::Publish;

/// A container, by `docker container inspect`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// The full id.
    pub id: String,
    name: String,
    /// The full id of its image, `sha256:…`.
    #[serde(deserialize_with = "image_id")]
    pub image: String,
    /// How often the engine restarted it.
    #[serde(default)]
    pub restart_count: u32,
    /// Whether it runs, and how it ended.
    pub state: State,
    #[serde(default, deserialize_with = "nullable")]
    resolv_conf_path: String,
    #[serde(rename = "OCIRuntime", default, deserialize_with = "nullable")]
    runtime: String,
    #[serde(default)]
    image_manifest_descriptor: Option<serde_json::Value>,
    /// What it was created with.
    pub config: Config,
    /// How it is tied to the host.
    pub host_config: HostConfig,
    /// Its addresses and published ports.
    pub network_settings: NetworkSettings,
    /// Its volumes and binds.
    #[serde(default, deserialize_with = "nullable")]
    pub mounts: Vec<Mount>,
}

/// A container's state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    /// `created`, `running`, `paused`, `restarting`, `exited`, …
    pub status: String,
    /// True also while restarting, paused, or being stopped.
    pub running: bool,
    /// Between an exit and the next start.
    pub restarting: bool,
    /// Ended by the kernel for want of memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// The main process's id on the engine's host; 0 when not running.
    pub pid: i32,
    /// The main process's exit code.
    pub exit_code: i64,
    /// Why the engine could not start it.
    pub error: String,
    #[serde(deserialize_with = "nullable")]
    health: HealthState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthState {
    status: String,
}

impl State {
    /// Running and not about to be started again.
    pub fn up(&self) -> bool {
        self.running && !self.restarting
    }

    /// The result of the image's own HEALTHCHECK: `starting`, `healthy`, `unhealthy`, or `None` without one.
    pub fn health(&self) -> Option<&str> {
        Some(self.health.status.as_str()).filter(|status| !matches!(*status, "" | "none"))
    }
}

impl Container {
    /// The name, without the engine's leading slash.
    pub fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    /// The folder where docker keeps it, and its images as well.
    pub(super) fn data_root(&self) -> Option<&str> {
        let own = format!("/containers/{}/resolv.conf", self.id);
        self.resolv_conf_path.strip_suffix(&own)
    }

    /// Whether its image is kept by containerd, not by docker itself.
    pub(super) fn is_of_containerds_image(&self) -> bool {
        self.image_manifest_descriptor.is_some()
    }

    /// The TCP ports that its image or its options expose, ascending. Older podman only lists them
    /// among the ports that may be bound.
    pub fn exposed(&self) -> Vec<u16> {
        let mut ports = self.config.exposed();
        ports.extend(self.network_settings.listed());
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Whether podman made it, which names the runtime there and shows a started container as it runs, not
    /// as it was asked for.
    pub fn is_podman(&self) -> bool {
        !self.runtime.is_empty()
    }

    /// Whether its engine is run by another user than root, who has networks of a world of their own: an address there
    /// may well be another container's here.
    pub fn is_rootless(&self) -> bool {
        address::is_rootless(self.state.pid)
    }

    /// The variables that it was created with, its image's included; the last of a name counts. One without a value is
    /// one that it lacks, whatever its image says. Podman adds its host's name at the start.
    pub fn variables(&self) -> BTreeMap<&str, Option<&str>> {
        let pairs = self.config.env.iter().map(|it| pair(it));
        let added = Some(self.config.hostname.as_str()).filter(|_| self.is_podman());
        pairs
            .filter(|(name, value)| *name != "HOSTNAME" || *value != added)
            .collect()
    }

    /// Its own address for `port`, where this machine has a direct route to it. Not so
    /// with rootless engines and Docker Desktop, where its network is another machine's.
    pub fn own_address(&self, port: u16) -> Option<SocketAddr> {
        let on_hosts = self.host_config.is_on_hosts_network();
        // Without root podman's host network is this machine's all the same, and Docker's is not.
        if self.is_rootless() && !(on_hosts && self.is_podman()) {
            return None;
        }
        if on_hosts {
            return Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
        let places = self.network_settings.networks.values();
        address::own(places.filter_map(Attachment::address), port)
    }

    /// The host's address that leads to its `port`, as the engine bound it.
    pub fn host_address(&self, port: u16) -> Option<SocketAddr> {
        let bound = self.network_settings.bound();
        let binding = bound.iter().find(|publish| publish.container == port)?;
        Some(address::host_side(binding))
    }

    /// The ports by which it is called now, as they were asked for.
    ///
    /// # Errors
    /// A port of it, `8080/tcp`, of which the engine does not say where it is: of a container that does not run.
    pub fn published(&self) -> Result<Vec<Publish>, String> {
        let all = self.host_config.published_now(&self.network_settings)?;
        if self.is_podman() {
            // It writes so of every address.
            return Ok(all.into_iter().map(Publish::of_any).collect());
        }
        Ok(all)
    }

    /// Its volumes without a name.
    pub fn anonymous_volumes(&self) -> impl Iterator<Item = &Mount> {
        self.mounts.iter().filter(|mount| mount.is_anonymous())
    }

    /// Its own addresses of one family, on all of its networks.
    pub fn addresses(&self, v6: bool) -> Vec<IpAddr> {
        let places = self.network_settings.networks.values();
        let of = |place: &Attachment| match v6 {
            true => place.address_v6(),
            false => place.address(),
        };
        places.filter_map(of).map(|(ip, _)| ip).collect()
    }

    /// The length of the subnet's prefix around its address `ip`.
    pub fn prefix_of(&self, ip: IpAddr) -> Option<u8> {
        let mut places = self
            .network_settings
            .networks
            .values()
            .filter_map(Attachment::address);
        places
            .find(|(address, _)| *address == ip)
            .map(|(_, prefix)| prefix)
    }

    /// A label of the container (the image's included).
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.get(name).map(String::as_str)
    }
}
