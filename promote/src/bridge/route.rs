//! From an address to the interface behind which the kernel has it.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use step::engine::container::Container;
use step::engine::routes::{interface_of, is_plain};

use super::error::NoBridge;

/// The candidate's interface on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    /// The candidate's subnet behind it, `172.17.0.0/16`.
    pub(crate) subnet: String,
}

/// Where the kernel says the candidate is.
pub(crate) fn interface(
    candidate: &Container,
    address: Option<SocketAddr>,
) -> Result<Interface, NoBridge> {
    let Some(IpAddr::V4(ip)) = address.map(|it| it.ip()) else {
        return Err(NoBridge::NoPort);
    };
    let prefix = candidate
        .prefix_of(IpAddr::V4(ip))
        .ok_or(NoBridge::NoSubnet)?;
    let routes = fs::read_to_string("/proc/net/route").map_err(NoBridge::NoRoutes)?;
    let name = interface_of(&routes, ip).ok_or(NoBridge::NoRoute)?;
    Ok(Interface {
        name,
        subnet: format!("{ip}/{prefix}"),
    })
}

/// The hardware address of the bridge behind which `ip` is.
pub(crate) fn hardware_of(ip: IpAddr) -> Option<String> {
    let IpAddr::V4(ip) = ip else {
        return None;
    };
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let interface = interface_of(&routes, ip)?;
    let hardware = fs::read_to_string(format!("/sys/class/net/{interface}/address")).ok()?;
    Some(hardware.trim().to_owned())
}

/// Whether packets of this family within a bridge pass the rules for packets through this host (`br_netfilter`); `ip` or
/// `ip6`.
pub(crate) fn filters_bridges(family: &str) -> bool {
    let at = format!("/proc/sys/net/bridge/bridge-nf-call-{family}tables");
    fs::read_to_string(at).is_ok_and(|is| is.trim() == "1")
}

/// Whether those of any bridge do: one may say so for itself alone.
pub(crate) fn filters_any_bridge() -> bool {
    let says_so = |bridge: &String| {
        ["nf_call_iptables", "nf_call_ip6tables"].iter().any(|it| {
            let said = fs::read_to_string(format!("/sys/class/net/{bridge}/bridge/{it}"));
            said.is_ok_and(|is| is.trim() == "1")
        })
    };
    filters_bridges("ip") || filters_bridges("ip6") || bridges_beside(&[]).iter().any(says_so)
}

/// The bridges of this host that are not among `known`, as far as nft takes their names.
pub(crate) fn bridges_beside(known: &[String]) -> Vec<String> {
    let all = fs::read_dir("/sys/class/net").into_iter().flatten();
    let bridges = all.flatten().filter(|it| it.path().join("bridge").is_dir());
    let names = bridges.filter_map(|it| it.file_name().into_string().ok());
    names
        .filter(|it| is_plain(it) && !known.contains(it))
        .collect()
}

/// An IPv6 address of this host that others may call; `None` where it has none.
pub(crate) fn own_v6() -> Option<IpAddr> {
    global_v6(&fs::read_to_string("/proc/net/if_inet6").ok()?)
}

/// The first of scope global (00) that is in use: neither tentative (40) nor given up for a twin (08), by Linux,
/// include/uapi/linux/if_addr.h.
fn global_v6(addresses: &str) -> Option<IpAddr> {
    let mut all = addresses.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let flags = u32::from_str_radix(fields.get(4)?, 16).ok()?;
        let ip = u128::from_str_radix(fields.first()?, 16).ok()?;
        let is_of_use = *fields.get(3)? == "00" && flags & 0x48 == 0;
        is_of_use.then(|| IpAddr::from(Ipv6Addr::from(ip)))
    });
    all.next()
}

/// The port of the bridge `interface` behind which the kernel has seen this hardware address: the container's own veth.
pub(crate) fn bridge_port(interface: &str, hardware: &str) -> Option<String> {
    let at = format!("/sys/class/net/{interface}");
    let number = port_number(&fs::read(format!("{at}/brforward")).ok()?, hardware)?;
    let ports = fs::read_dir(format!("{at}/brif")).ok()?;
    let mut ports = ports.flatten().filter_map(|port| {
        let said = fs::read_to_string(port.path().join("port_no")).ok()?;
        let said = u16::from_str_radix(said.trim().trim_start_matches("0x"), 16).ok()?;
        (said == number).then(|| port.file_name().into_string().ok())?
    });
    ports.next()
}

/// From the kernel's table of a bridge (`struct __fdb_entry`, include/uapi/linux/if_bridge.h): 16 bytes each, of
/// which the first six are the address, the seventh and the thirteenth the port's number.
fn port_number(table: &[u8], hardware: &str) -> Option<u16> {
    let hardware: Vec<u8> = hardware
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect::<Option<_>>()?;
    let mut entries = table.chunks_exact(16);
    let found = entries.find(|it| it.starts_with(&hardware) && hardware.len() == 6)?;
    Some(u16::from_le_bytes([*found.get(6)?, *found.get(12)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_may_call_is_told_from_those_of_the_link_and_of_loopback() {
        let addresses = "00000000000000000000000000000001 01 80 10 80       lo\n\
            fe800000000000000000000000000001 02 40 20 80     eth0\n\
            fd770000000000000000000000000009 02 40 00 48     eth0\n\
            fd770000000000000000000000000001 02 40 00 80     eth0\n";
        assert_eq!(global_v6(addresses), "fd77::1".parse().ok());
        assert_eq!(global_v6("fe80 02 40 20 80 eth0\nx"), None);
    }

    #[test]
    fn a_bridge_has_an_address_behind_a_port() {
        let entry = |last, port| [2, 0x42, 0, 0, 0, last, port, 0, 9, 0, 0, 0, 1, 0, 0, 0];
        let table = [entry(1, 3), entry(2, 4)].concat();
        assert_eq!(port_number(&table, "02:42:00:00:00:02"), Some(0x0104));
        for none in ["02:42:00:00:00:03", "02", "", "x"] {
            assert_eq!(port_number(&table, none), None, "{none}");
        }
    }
}
