//! What the engine has of networks: who is on one, and which interfaces of this machine are its bridges.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use xshell::cmd;

use super::Engine;
use super::error::EngineError;
use super::json::nullable;
use super::network::NetworkSummary;

/// A network, by `docker network inspect`; podman has names, places and subnets of its own for the same.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inhabited {
    #[serde(alias = "containers", default, deserialize_with = "nullable")]
    containers: BTreeMap<String, Place>,
    #[serde(rename = "IPAM", default, deserialize_with = "nullable")]
    ipam: Ipam,
    #[serde(rename = "subnets", default, deserialize_with = "nullable")]
    subnets: Vec<Subnet>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Ipam {
    #[serde(deserialize_with = "nullable")]
    config: Vec<Subnet>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Subnet {
    #[serde(alias = "subnet")]
    subnet: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    #[serde(rename = "IPv4Address")]
    ipv4: String,
    #[serde(rename = "IPv6Address")]
    ipv6: String,
    interfaces: BTreeMap<String, Interface>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Interface {
    #[serde(deserialize_with = "nullable")]
    subnets: Vec<Inhabitant>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inhabitant {
    /// `10.1.0.2/24`
    ipnet: String,
}

impl Place {
    fn addresses(self) -> Vec<IpAddr> {
        let interfaces = self.interfaces.into_values();
        let podmans = interfaces.flat_map(|it| it.subnets).map(|it| it.ipnet);
        let all = [self.ipv4, self.ipv6].into_iter().chain(podmans);
        all.filter_map(|ip| ip.split('/').next()?.parse().ok())
            .collect()
    }
}

/// What there is on a network.
#[derive(Debug)]
pub struct Neighbours {
    /// Its subnets, `10.1.0.0/24`; none where the engine does not say.
    pub subnets: Vec<String>,
    /// The addresses of the containers that run there, each with the container's full id.
    pub holders: Vec<(IpAddr, String)>,
}

impl Engine {
    /// The full ids of the containers that run on a network and have one of these addresses there.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn holders(&self, network: &str, addresses: &[IpAddr]) -> Result<Vec<String>, EngineError> {
        let holders = self.neighbours(network)?.holders.into_iter();
        let held = holders.filter(|(ip, _)| addresses.contains(ip));
        Ok(held.map(|(_, id)| id).collect())
    }

    /// What there is on a network.
    ///
    /// # Errors
    /// When the engine cannot be asked, or has no such network.
    pub fn neighbours(&self, network: &str) -> Result<Neighbours, EngineError> {
        let Self { sh, cli, .. } = self;
        let found: Vec<Inhabited> =
            self.inspect(cmd!(sh, "{cli} network inspect {network}").into())?;
        let (mut subnets, mut holders) = (Vec::new(), Vec::new());
        for network in found {
            let all = network.ipam.config.into_iter().chain(network.subnets);
            subnets.extend(all.map(|it| it.subnet));
            for (id, place) in network.containers {
                let all = place.addresses().into_iter();
                holders.extend(all.map(|ip| (ip, id.clone())));
            }
        }
        Ok(Neighbours { subnets, holders })
    }

    /// The interfaces of this machine that are bridges of the engine's networks.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn bridges(&self) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        let networks = match self.listed_networks()? {
            Some(networks) => networks,
            None => {
                let ids = self.lines(cmd!(sh, "{cli} network ls --quiet --no-trunc").into())?;
                self.inspect(cmd!(sh, "{cli} network inspect {ids...}").into())?
            }
        };
        Ok(networks
            .iter()
            .filter_map(NetworkSummary::interface)
            .collect())
    }
}
