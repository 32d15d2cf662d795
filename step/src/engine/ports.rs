//! Where a container can be called: its addresses, and the ports that the engine has bound.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::attachment::Attachment;
use super::json::{nullable, tcp_port};
use crate::model::port::{EVERYWHERE, Protocol, Publish, container_port};

/// By the container's port, `80/tcp`.
pub(super) type Ports = BTreeMap<String, Option<Vec<Binding>>>;

/// A container's addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    #[serde(deserialize_with = "nullable")]
    pub(super) ports: Ports,
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
        self.bound_for(Protocol::Tcp)
    }

    /// The same of any protocol.
    pub fn bound_for(&self, spoken: Protocol) -> Vec<Publish> {
        let all = bindings(&self.ports).filter(|((_, protocol), _)| *protocol == spoken);
        let all = all.filter_map(|(port, binding)| binding.publish(port));
        all.map(Publish::of_any).collect()
    }

    /// The addresses of this host at which the engine has the host's port of `publish`, each with the container's port
    /// behind it; 0.0.0.0 and `::` are all of a family.
    pub fn doors(&self, publish: Publish) -> Vec<(IpAddr, u16)> {
        let all = bindings(&self.ports).filter(|((_, spoken), _)| *spoken == publish.protocol);
        let here = all.filter(|(_, binding)| binding.host_port.parse() == Ok(publish.host));
        let of = |binding: &Binding| match binding.address() {
            Some(ip) => vec![ip],
            None => EVERYWHERE.to_vec(),
        };
        let behind = here.map(|((port, _), binding)| (port, of(binding)));
        behind
            .flat_map(|(port, at)| at.into_iter().map(move |ip| (ip, port)))
            .collect()
    }

    /// Where the engine has a port of the container now that was asked for like this, without a port of the host.
    ///
    /// An engine chooses for each family by itself: under load one family's next free port is not the other's (seen
    /// with Docker 26). Two different ports are two bindings, each with its family.
    pub(super) fn chosen(&self, key: &str, asked: &Binding, port: (u16, Protocol)) -> Vec<Publish> {
        let all = self.ports.get(key).into_iter().flatten().flatten();
        let fits = all.filter(|it| asked.host_ip.is_empty() || it.host_ip == asked.host_ip);
        let found: Vec<Publish> = fits.filter_map(|it| it.publish(port)).collect();
        let is_one = found.windows(2).all(|two| two[0].host == two[1].host);
        let as_asked = found.first().filter(|_| is_one).map(|it| Publish {
            address: asked.address(),
            ..*it
        });
        as_asked.map_or(found, |it| vec![it])
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Binding {
    host_ip: String,
    host_port: String,
}

impl Binding {
    pub(super) fn publish(&self, (container, protocol): (u16, Protocol)) -> Option<Publish> {
        let host = self.host_port.parse().ok().filter(|&port| port > 0)?;
        Some(Publish {
            address: self.address(),
            host,
            container,
            protocol,
        })
    }

    fn address(&self) -> Option<IpAddr> {
        self.host_ip.parse().ok()
    }
}

pub(super) fn bindings(ports: &Ports) -> impl Iterator<Item = ((u16, Protocol), &Binding)> {
    named_bindings(ports).filter_map(|(key, binding)| Some((container_port(key).ok()?, binding)))
}

pub(super) fn named_bindings(ports: &Ports) -> impl Iterator<Item = (&str, &Binding)> {
    let all = ports.iter();
    all.flat_map(|(key, bound)| bound.iter().flatten().map(move |it| (key.as_str(), it)))
}
