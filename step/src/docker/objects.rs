//! What `docker inspect` says of containers and images, as far as the steps read it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer};

use crate::Publish;

/// A container, by `docker container inspect`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// The full id.
    pub id: String,
    name: String,
    /// The id of its image.
    pub image: String,
    /// How often the engine restarted it.
    #[serde(default)]
    pub restart_count: u32,
    /// Whether it runs, and how it ended.
    pub state: State,
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
    /// True also while restarting.
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
    /// The program's arguments.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// The program.
    #[serde(deserialize_with = "nullable")]
    pub entrypoint: Vec<String>,
    /// The user it runs as.
    pub user: String,
    /// The folder it runs in.
    pub working_dir: String,
}

impl Config {
    /// The TCP ports the image or the options expose, ascending.
    pub fn exposed(&self) -> Vec<u16> {
        let tcp = |port: &String| {
            port.strip_suffix("/tcp")
                .and_then(|number| number.parse().ok())
        };
        let mut ports: Vec<u16> = self.exposed_ports.keys().filter_map(tcp).collect();
        ports.sort_unstable();
        ports
    }
}

/// How a container is tied to the host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// The network it was created on, e.g. `default`, `host`, or a name.
    pub network_mode: String,
    /// Removed by the engine when it ends.
    pub auto_remove: bool,
    /// What the engine does when it ends.
    pub restart_policy: RestartPolicy,
    /// Every exposed port on a port of the host.
    pub publish_all_ports: bool,
    #[serde(deserialize_with = "nullable")]
    port_bindings: BTreeMap<String, Option<Vec<Binding>>>,
    /// All else, for telling whether two containers were created alike.
    #[serde(flatten)]
    pub rest: BTreeMap<String, serde_json::Value>,
}

/// What the engine does when a container ends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped` or `on-failure`; empty is `no`.
    pub name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Binding {
    host_ip: String,
    host_port: String,
}

impl HostConfig {
    /// The TCP ports asked for at creation. A port left to the engine is not in it.
    pub fn published(&self) -> Vec<Publish> {
        bindings(&self.port_bindings)
            .filter_map(|(container, binding)| binding.publish(container))
            .collect()
    }

    /// How many bindings there are, of any protocol and kind.
    pub fn binding_count(&self) -> usize {
        self.port_bindings.values().flatten().map(Vec::len).sum()
    }
}

/// A container's addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    #[serde(deserialize_with = "nullable")]
    ports: BTreeMap<String, Option<Vec<Binding>>>,
    /// By network name.
    #[serde(deserialize_with = "nullable")]
    pub networks: BTreeMap<String, Attachment>,
}

impl NetworkSettings {
    /// The TCP ports that the engine really bound, those it chose itself included.
    pub fn bound(&self) -> Vec<Publish> {
        bindings(&self.ports)
            .filter_map(|(container, binding)| binding.publish(container))
            .collect()
    }
}

/// A container's place on one network.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attachment {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    prefix: u8,
    /// Further names there; older engines add the beginning of the container's id.
    #[serde(deserialize_with = "nullable")]
    pub aliases: Vec<String>,
    #[serde(rename = "IPAMConfig", deserialize_with = "nullable")]
    ipam: Ipam,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Ipam {
    #[serde(rename = "IPv4Address")]
    ipv4: String,
}

impl Attachment {
    /// Address and prefix length, where the engine gave one.
    pub fn address(&self) -> Option<(IpAddr, u8)> {
        Some((self.ip_address.parse().ok()?, self.prefix))
    }

    /// The IPv4 address that was asked for, where one was.
    pub fn fixed_address(&self) -> Option<IpAddr> {
        self.ipam.ipv4.parse().ok()
    }
}

impl Binding {
    fn publish(&self, container: u16) -> Option<Publish> {
        let address: Option<IpAddr> = self.host_ip.parse().ok();
        let host = self.host_port.parse().ok().filter(|&port| port > 0)?;
        Some(Publish {
            address: address.filter(|ip| !ip.is_unspecified()),
            host,
            container,
        })
    }
}

fn bindings(
    ports: &BTreeMap<String, Option<Vec<Binding>>>,
) -> impl Iterator<Item = (u16, &Binding)> {
    ports.iter().flat_map(|(port, bound)| {
        let number = port
            .strip_suffix("/tcp")
            .and_then(|number| number.parse().ok());
        bound
            .iter()
            .flatten()
            .filter_map(move |binding| Some((number?, binding)))
    })
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
        self.kind == "volume"
            && self.name.len() == 64
            && self.name.chars().all(|c| c.is_ascii_hexdigit())
    }
}

/// An image, by `docker image inspect`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    /// The full id.
    pub id: String,
    /// Tags as `repository:tag`.
    #[serde(default, deserialize_with = "nullable")]
    pub repo_tags: Vec<String>,
    /// Digests as `repository@sha256:…`, one per repository it was pulled from or pushed to.
    #[serde(default, deserialize_with = "nullable")]
    pub repo_digests: Vec<String>,
    /// The image it was built upon on this engine, or empty.
    #[serde(default)]
    pub parent: String,
    /// When it was built, RFC 3339.
    #[serde(default)]
    pub created: String,
    /// Bytes on disk, shared layers included.
    #[serde(default)]
    pub size: u64,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default, deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(default, deserialize_with = "nullable")]
    config: Config,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Metadata {
    last_tag_time: String,
}

impl Image {
    /// A label of the image.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.get(name).map(String::as_str)
    }

    /// The TCP ports it exposes, ascending.
    pub fn exposed(&self) -> Vec<u16> {
        self.config.exposed()
    }

    /// Its environment, as `NAME=value`.
    pub fn env(&self) -> &[String] {
        &self.config.env
    }

    /// The digest under which `repository` knows it, `sha256:…`.
    pub fn digest_in(&self, repository: &str) -> Option<String> {
        self.digests_in(repository).into_iter().next()
    }

    /// All digests under which `repository` knows it, one for each manifest it was pulled by.
    pub fn digests_in(&self, repository: &str) -> Vec<String> {
        let entries = self.repo_digests.iter();
        entries
            .filter_map(|entry| entry.split_once('@'))
            .filter(|(name, _)| familiar(name) == familiar(repository))
            .map(|(_, digest)| digest.to_owned())
            .collect()
    }

    /// The platform it was built for, such as `linux/amd64`.
    pub fn platform(&self) -> String {
        format!("{}/{}", self.os, self.architecture)
    }

    /// Whether it was built for `platform`, written `os/architecture[/variant]` or by one of
    /// the two alone. The variant is left to the engine.
    pub fn is_for(&self, platform: &str) -> bool {
        let own = |word: &str| {
            let word = match word {
                "x86_64" | "x86-64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            };
            word == self.os || word == self.architecture
        };
        platform.to_lowercase().split('/').take(2).all(own)
    }

    /// A text that sorts by when the image came to this engine under its newest name,
    /// or was built where the engine does not say.
    pub fn age_key(&self) -> &str {
        let tagged = self.metadata.last_tag_time.as_str();
        if tagged.is_empty() || tagged.starts_with("0001") {
            &self.created
        } else {
            tagged
        }
    }
}

/// Docker Hub's names are shown short by docker and in full by podman.
pub fn familiar(repository: &str) -> &str {
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short)
}

/// The engine writes `null` for what is empty.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    value: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

impl Container {
    /// The name, without the engine's leading slash.
    pub fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    /// Its own address for `port`, where this machine has a direct route to it.
    pub fn own_address(&self, port: u16) -> Option<SocketAddr> {
        crate::address::own(self, port)
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

    /// What must not be shown of it: the values of its environment and run options. Values
    /// shorter than six characters stay visible, or a log could not say `port 8080`.
    pub fn secrets(&self) -> Vec<String> {
        let env = self.config.env.iter();
        let values = env.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
        let options = crate::Recipe::of(self)
            .map(|recipe| recipe.options)
            .unwrap_or_default();
        let all = values.chain(crate::secrets_of_options(&options));
        all.filter(|value| value.chars().count() >= 6).collect()
    }
}
