//! How a container is tied to the host and to networks: addresses and published ports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::json::{nullable, tcp_port};
use crate::model::port::Publish;

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
    pid_mode: String,
    ipc_mode: String,
    #[serde(deserialize_with = "nullable")]
    security_opt: Vec<String>,
}

/// What the engine does when a container ends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped` or `on-failure`; empty is `no`.
    pub name: String,
}

impl RestartPolicy {
    /// Whether the engine ever starts it again.
    pub fn restarts(&self) -> bool {
        !matches!(self.name.as_str(), "" | "no")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Binding {
    host_ip: String,
    host_port: String,
}

impl HostConfig {
    /// The TCP ports asked for at creation. A port left to the engine is not in it, unless the
    /// engine chooses at creation, as podman does.
    pub fn published(&self) -> Vec<Publish> {
        bindings(&self.port_bindings)
            .filter_map(|(container, binding)| binding.publish(container))
            .collect()
    }

    /// The seccomp profiles that it was given: docker's CLI sends the content of the file that was named.
    pub fn seccomp(&self) -> Vec<&str> {
        let all = self.security_opt.iter().map(String::as_str);
        all.filter(|option| option.starts_with("seccomp")).collect()
    }

    /// The containers, `container:ID`, whose namespaces it shares, by the namespace's kind; `None` is one of its own.
    pub fn shares_with(&self) -> [(&'static str, Option<&str>); 3] {
        let modes = [
            ("network", &self.network_mode),
            ("processes", &self.pid_mode),
            ("memory", &self.ipc_mode),
        ];
        modes.map(|(kind, mode)| (kind, mode.strip_prefix("container:")))
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
    /// The TCP ports that are listed, bound or not.
    pub(super) fn listed(&self) -> impl Iterator<Item = u16> {
        self.ports.keys().filter_map(|key| tcp_port(key))
    }

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
    #[serde(rename = "IPv6Address")]
    ipv6: String,
}

impl Attachment {
    /// Address and prefix length, where the engine gave one.
    pub fn address(&self) -> Option<(IpAddr, u8)> {
        Some((self.ip_address.parse().ok()?, self.prefix))
    }

    /// The addresses that were asked for, at most one of each family.
    pub fn fixed_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let asked = [&self.ipam.ipv4, &self.ipam.ipv6];
        asked.into_iter().filter_map(|ip| ip.parse().ok())
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
        let number = tcp_port(port);
        bound
            .iter()
            .flatten()
            .filter_map(move |binding| Some((number?, binding)))
    })
}
