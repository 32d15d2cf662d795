//! The kernel's lists of routes: behind which interface an address is, and by which way a container's packets leave.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// The interface of the narrowest route to `ip`. Numbers in that file are in host byte order
/// of a value in network byte order (Linux, net/ipv4/fib_trie.c).
pub fn interface_of(routes: &str, ip: Ipv4Addr) -> Option<String> {
    let ip = u32::from_ne_bytes(ip.octets());
    let parsed = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, net, mask) = (fields.first()?, hex(&fields, 1)?, hex(&fields, 7)?);
        (ip & mask == net && is_plain(name)).then(|| (mask.count_ones(), (*name).to_owned()))
    });
    parsed.max().map(|(_, name)| name)
}

/// Whether nft takes the name of an interface as it is.
pub fn is_plain(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Whether this machine reaches the address through a bridge, as engines build them. Not so an address of a macvlan,
/// which may be in the very subnet of this machine.
pub(super) fn is_behind_bridge(ip: Ipv4Addr) -> bool {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let name = interface_of(&routes, ip).unwrap_or_default();
    Path::new("/sys/class/net")
        .join(name)
        .join("bridge")
        .is_dir()
}

/// The next hop of all that a container's process sends beyond its networks, in one family.
pub(super) fn way_out(pid: i32, is_v6: bool) -> Option<IpAddr> {
    let routes = |file: &str| fs::read_to_string(format!("/proc/{pid}/net/{file}")).ok();
    match is_v6 {
        false => default_v4(&routes("route")?).map(IpAddr::from),
        true => default_v6(&routes("ipv6_route")?).map(IpAddr::from),
    }
}

/// The next hop of the default route; of several the one that the kernel prefers.
fn default_v4(routes: &str) -> Option<Ipv4Addr> {
    let all = routes.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (net, mask, next) = (hex(&fields, 1)?, hex(&fields, 7)?, hex(&fields, 2)?);
        let metric: u32 = fields.get(6)?.parse().ok()?;
        (net == 0 && mask == 0 && next != 0).then(|| (metric, Ipv4Addr::from(next.to_ne_bytes())))
    });
    all.min_by_key(|(metric, _)| *metric).map(|(_, next)| next)
}

/// The same of IPv6: a file of other columns (Linux, net/ipv6/route.c).
fn default_v6(routes: &str) -> Option<Ipv6Addr> {
    let all = routes.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = |at: usize| u128::from_str_radix(fields.get(at)?, 16).ok();
        let (net, next) = (address(0)?, address(4)?);
        let is_default = net == 0 && hex(&fields, 1)? == 0 && next != 0;
        is_default.then_some((hex(&fields, 5)?, Ipv6Addr::from(next)))
    });
    all.min_by_key(|(metric, _)| *metric).map(|(_, next)| next)
}

fn hex(fields: &[&str], at: usize) -> Option<u32> {
    u32::from_str_radix(fields.get(at)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
        eth1\t00000000\t0200000A\t0003\t0\t0\t9\t00000000\t0\n\
        eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n\
        docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";

    #[test]
    fn the_narrowest_route_names_the_interface() {
        if cfg!(target_endian = "little") {
            let name = interface_of(ROUTES, [172, 17, 0, 3].into());
            assert_eq!(name.as_deref(), Some("docker0"));
            let elsewhere = interface_of(ROUTES, [10, 0, 0, 3].into());
            assert!(elsewhere.is_some_and(|name| name.starts_with("eth")));
        }
    }

    #[test]
    fn the_way_out_is_the_next_hop_of_the_default_route() {
        if cfg!(target_endian = "little") {
            assert_eq!(default_v4(ROUTES), Some([10, 0, 0, 1].into()));
        }
        let internal = "Iface\nx\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        assert_eq!(default_v4(internal), None);
        let zero = "0".repeat(32);
        let line = |next: &str, metric: &str| {
            format!("{zero} 00 {zero} 00 {next} {metric} 00000001 00000000 00000003 eth0\n")
        };
        let (one, two) = (
            format!("fd88{}1", "0".repeat(27)),
            format!("fd88{}2", "0".repeat(27)),
        );
        let rejecting = line(&zero, "ffffffff");
        let all = rejecting.clone() + &line(&two, "00000400") + &line(&one, "00000100");
        assert_eq!(default_v6(&all), "fd88::1".parse().ok());
        for none in [&rejecting[..], "", "x y"] {
            assert_eq!(default_v6(none), None, "{none}");
        }
    }
}
