//! What packet rules redirect: a published port, or one container's address on a network.

use std::fs;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use step::engine::container::Container;

use super::door::Door;
use super::route::hardware_of;
use crate::network::{is_known, resolves};

/// The ports from which this host chooses its own (ip-sysctl in the kernel's documentation).
const LOCAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// A gap of fewer is not used: each redirected connection takes one of these ports. The number was not measured.
const ENOUGH: usize = 4096;

/// New connections at a door go to the candidate.
#[derive(Clone, Debug)]
pub(crate) struct PortRedirect {
    pub(crate) door: Door,
    /// Where the forwarder listens on loopback.
    pub(crate) forwarder: u16,
    /// Where it listens for containers, if the kernel loses what it is handed of them.
    pub(crate) for_containers: Option<u16>,
}

/// New connections within one network go to another container than the one they call.
#[derive(Clone, Debug)]
pub(crate) struct AddressRedirect {
    /// The address of the container that leaves.
    pub(crate) from: IpAddr,
    /// That of the one that takes its calls.
    pub(crate) to: IpAddr,
    /// The length of their subnet's prefix, in bits.
    pub(crate) prefix: u8,
    /// The hardware address of the network's bridge, `02:42:…`.
    pub(crate) hardware: String,
    /// The process of the container that takes its calls, in whose network they arrive.
    pub(crate) into: i32,
    /// The ports from which they come, as that container sees them. No other connection comes from there.
    pub(crate) ports: Option<RangeInclusive<u16>>,
}

/// The networks on which both are, and `leaving` is also known as `name`: to podman's name servers under
/// whatever name it was started.
pub(crate) fn by_name(
    leaving: &Container,
    staying: &Container,
    name: &str,
) -> Vec<AddressRedirect> {
    let places = leaving.network_settings.networks.iter();
    places
        .filter(|(network, place)| {
            is_known(place, name) || leaving.is_podman() && resolves(network)
        })
        .flat_map(|(network, _)| on_network(network, leaving, staying))
        .collect()
}

/// Calls to `leaving` on a network on which both are, in each family that both have there.
pub(crate) fn on_network(
    network: &str,
    leaving: &Container,
    staying: &Container,
) -> Vec<AddressRedirect> {
    if leaving.is_rootless() || staying.is_rootless() {
        return Vec::new();
    }
    let place = |of: &Container| of.network_settings.networks.get(network).cloned();
    let (here, there) = (
        place(leaving).unwrap_or_default(),
        place(staying).unwrap_or_default(),
    );
    // Both families have the same bridge.
    let hardware = here.address().and_then(|(ip, _)| hardware_of(ip));
    let local = fs::read_to_string(LOCAL_PORTS).ok();
    let ports = local.and_then(|local| beside(&local));
    let redirect = |((from, prefix), (to, _))| {
        Some(AddressRedirect {
            from,
            to,
            prefix,
            hardware: hardware.clone()?,
            into: staying.state.pid,
            ports: ports.clone(),
        })
    };
    // Podman 5 lets nothing through that is redirected by IPv6 (seen): its callers would wait, and not only at the end.
    let v6 = here.address_v6().filter(|_| !leaving.is_podman());
    let families = [
        here.address().zip(there.address()),
        v6.zip(there.address_v6()),
    ];
    families
        .into_iter()
        .flatten()
        .filter_map(redirect)
        .collect()
}

fn beside(local: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = local.trim().split_once(char::is_whitespace)?;
    let (first, last): (u16, u16) = (first.parse().ok()?, last.trim().parse().ok()?);
    let gaps = [
        1024..=first.saturating_sub(1),
        last.saturating_add(1)..=u16::MAX,
    ];
    gaps.into_iter().find(|gap| gap.len() >= ENOUGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_those_that_the_host_does_not_choose_from() {
        assert_eq!(beside("32768\t60999\n"), Some(1024..=32767));
        assert_eq!(beside("1024\t50000\n"), Some(50001..=65535));
        for none in ["1024\t65535\n", "2000\t64000\n", "", "a b"] {
            assert_eq!(beside(none), None, "{none}");
        }
    }
}
