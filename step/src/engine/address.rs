//! Where a container can be reached from this machine.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::routes::{is_behind_bridge, way_out};
use crate::model::port::Publish;
use crate::model::subnet::Subnet;

/// One of these addresses of a process, with the lengths of their prefixes, to which this machine has a direct route.
///
/// It is the one through which the engine publishes the container's ports, if this machine reaches it. An engine lets
/// nobody from elsewhere come to an internal network, and shows its gateway all the same (Docker 20.10).
pub(super) fn own(places: impl Iterator<Item = (IpAddr, u8)>, pid: i32) -> Option<IpAddr> {
    let near = places.filter(|&(ip, prefix)| is_neighbour(ip, prefix));
    let near: Vec<(IpAddr, u8)> = near.collect();
    if let [] | [_] = near[..] {
        return near.first().map(|(ip, _)| *ip);
    }
    let way_out = way_out(pid, false);
    let is_bridged = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if is_behind_bridge(ip));
    let rank = |&&(ip, prefix): &&(IpAddr, u8)| (!is_bridged(ip), !has(ip, prefix, way_out));
    near.iter().min_by_key(rank).map(|(ip, _)| *ip)
}

/// The one of these IPv6 addresses of a process through which the engine publishes its ports, else the first.
pub(super) fn own_v6(places: impl Iterator<Item = (IpAddr, u8)>, pid: i32) -> Option<IpAddr> {
    let all: Vec<(IpAddr, u8)> = places.collect();
    if let [] | [_] = all[..] {
        return all.first().map(|(ip, _)| *ip);
    }
    let way_out = way_out(pid, true);
    let best = all
        .iter()
        .min_by_key(|&&(ip, prefix)| !has(ip, prefix, way_out));
    best.map(|(ip, _)| *ip)
}

/// Whether the next hop of a container's packets is in the subnet of this address of it.
fn has(ip: IpAddr, prefix: u8, next: Option<IpAddr>) -> bool {
    next.is_some_and(|next| Subnet::around(ip, prefix).contains(next))
}

/// Whether the engine of this process is run by another user than root, seen from where we are.
pub(super) fn is_rootless(pid: i32) -> bool {
    let map = |of: &str| fs::read_to_string(format!("/proc/{of}/uid_map")).unwrap_or_default();
    let theirs = map(&pid.to_string());
    has_a_user_alone(&theirs) && theirs != map("self")
}

/// Such an engine maps its own user alone; one of root's that maps ids has ranges of them.
fn has_a_user_alone(map: &str) -> bool {
    let mut lines = map
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.any(|line| matches!(line[..], [_, outside, "1"] if outside != "0"))
}

/// Where this machine reaches a published port.
pub fn host_side(publish: &Publish) -> SocketAddr {
    let near = match publish.address {
        None => Ipv4Addr::LOCALHOST.into(),
        Some(IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        Some(IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        Some(ip) => ip,
    };
    SocketAddr::new(near, publish.host)
}

/// Whether the route to `ip` starts on an interface of its own subnet.
fn is_neighbour(ip: IpAddr, prefix: u8) -> bool {
    let net = Subnet::around(ip, prefix);
    towards(ip).is_some_and(|own| prefix > 0 && net.contains(own))
}

/// This host's own address towards another one. A UDP socket that is connected sends nothing; it only has the kernel
/// choose the route.
pub fn towards(ip: IpAddr) -> Option<IpAddr> {
    let any = match ip {
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect((ip, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether this host has the address now. A route to it would not tell: its own side may be another address of the same
/// subnet. Nor would a socket bound to it, where a host lets programs bind what it does not have.
pub fn is_here(ip: IpAddr) -> bool {
    let listed = |at: &str| fs::read_to_string(at).unwrap_or_default();
    let is_named = || match ip {
        IpAddr::V4(ip) => is_own_v4(&listed("/proc/net/fib_trie"), ip),
        IpAddr::V6(ip) => is_own_v6(&listed("/proc/net/if_inet6"), ip),
    };
    ip.is_loopback() || is_named() || towards(ip) == Some(ip)
}

/// A leaf of the kernel's routes has its address in one line, and what it is in the lines below.
fn is_own_v4(routes: &str, ip: Ipv4Addr) -> bool {
    let mut leaf = None;
    routes.lines().map(str::trim).any(|line| {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        }
        leaf == Some(ip) && line == "/32 host LOCAL"
    })
}

/// The address is the first field, in hexadecimal digits.
fn is_own_v6(addresses: &str, ip: Ipv6Addr) -> bool {
    let mut fields = addresses.lines().filter_map(|it| it.split(' ').next());
    fields.any(|field| u128::from_str_radix(field, 16) == Ok(ip.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_host_are_told_from_networks_and_from_those_of_others() {
        let routes = "Local:\n  +-- 0.0.0.0/0 3 0 5\n\
            \x20    |-- 10.77.0.0\n           /24 link UNICAST\n\
            \x20    |-- 10.77.0.9\n           /32 host LOCAL\n\
            \x20    |-- 10.77.0.255\n           /32 link BROADCAST\n";
        for (ip, is_own) in [
            ("10.77.0.9", true),
            ("10.77.0.0", false),
            ("10.77.0.255", false),
        ] {
            assert_eq!(is_own_v4(routes, ip.parse().unwrap()), is_own, "{ip}");
        }
        let addresses = "fd770000000000000000000000000001 02 40 00 80     eth0\n";
        assert!(is_own_v6(addresses, "fd77::1".parse().unwrap()));
        assert!(!is_own_v6(addresses, "fd77::2".parse().unwrap()));
        assert!(is_here(Ipv4Addr::new(127, 9, 9, 9).into()));
        assert!(!is_here(Ipv4Addr::new(192, 0, 2, 1).into()));
    }

    #[test]
    fn an_engine_that_a_user_runs_is_told_from_one_of_roots_by_the_ids_it_maps() {
        for (map, is_rootless) in [
            (
                "         0       1000          1\n         1     100000      65536\n",
                true,
            ),
            (
                "         0     100000       1000\n      1000       1000          1\n      1001     101000      64536\n",
                true,
            ),
            ("         0          0 4294967295\n", false),
            ("         0     100000      65536\n", false),
            (
                "         0          0          1\n         1     100000      65536\n",
                false,
            ),
            ("", false),
        ] {
            assert_eq!(has_a_user_alone(map), is_rootless, "{map}");
        }
    }

    #[test]
    fn this_machine_is_its_own_neighbour() {
        assert!(is_neighbour(Ipv4Addr::LOCALHOST.into(), 8));
    }
}
