//! A container's place on one network: its names and addresses there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::json::nullable;

/// As much of an id as the engine shows where it shortens one.
const SHORT_ID: usize = 12;

/// A container's place on one network.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attachment {
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    prefix: u8,
    #[serde(rename = "GlobalIPv6Address")]
    ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    ipv6_prefix: u8,
    #[serde(rename = "MacAddress")]
    hardware: String,
    /// Further names there; older engines add the beginning of the container's id.
    #[serde(deserialize_with = "nullable")]
    pub aliases: Vec<String>,
    #[serde(rename = "IPAMConfig", deserialize_with = "nullable")]
    ipam: Ipam,
    /// `container:alias` each: who is called by names of its own there.
    #[serde(deserialize_with = "nullable")]
    pub links: Vec<String>,
    /// The network driver's options.
    #[serde(deserialize_with = "nullable")]
    pub driver_opts: BTreeMap<String, String>,
    /// Which network has the default route: the highest; 0 where nobody has said so.
    pub gw_priority: i64,
    #[serde(rename = "NetworkID", deserialize_with = "nullable")]
    network_id: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Ipam {
    #[serde(rename = "IPv4Address")]
    ipv4: String,
    #[serde(rename = "IPv6Address")]
    ipv6: String,
    #[serde(rename = "LinkLocalIPs", deserialize_with = "nullable")]
    link_local: Vec<String>,
}

impl Attachment {
    /// Further names there, of a container with this id: without the beginning of the id.
    pub fn further_names<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.aliases.iter().map(String::as_str);
        all.filter(|alias| alias.len() < SHORT_ID || !id.starts_with(alias))
    }

    /// Whether a container that asked for `asked` is on this network, which is called `network`: networks are asked for
    /// by their ids as well.
    pub fn is_on(&self, network: &str, asked: &str) -> bool {
        network == asked || asked.len() >= SHORT_ID && self.network_id.starts_with(asked)
    }

    /// The link-local addresses that were asked for.
    pub fn link_local(&self) -> &[String] {
        &self.ipam.link_local
    }

    /// Address and prefix length, where the engine gave one.
    pub fn address(&self) -> Option<(IpAddr, u8)> {
        Some((self.ip_address.parse().ok()?, self.prefix))
    }

    /// The same of IPv6.
    pub fn address_v6(&self) -> Option<(IpAddr, u8)> {
        Some((self.ipv6_address.parse().ok()?, self.ipv6_prefix))
    }

    /// The hardware address there, `02:42:…`.
    pub fn hardware(&self) -> &str {
        &self.hardware
    }

    /// The addresses that were asked for, at most one of each family.
    pub fn fixed_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let asked = [&self.ipam.ipv4, &self.ipam.ipv6];
        asked.into_iter().filter_map(|ip| ip.parse().ok())
    }
}
