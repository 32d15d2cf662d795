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

#[cfg(test)]
mod tests {
    use super::*;

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
