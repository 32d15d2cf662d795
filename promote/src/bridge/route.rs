//! From an address to the interface behind which the kernel has it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use step::engine::container::Container;
use step::model::port::Publish;

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
) -> Result<Interface, String> {
    let Some(IpAddr::V4(ip)) = address.map(|it| it.ip()) else {
        return Err("no port is published".to_owned());
    };
    let prefix = candidate
        .prefix_of(IpAddr::V4(ip))
        .ok_or("the candidate's subnet is unknown")?;
    let routes = fs::read_to_string("/proc/net/route").map_err(|error| error.to_string())?;
    let name = interface_of(&routes, ip).ok_or("there is no route to the candidate")?;
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

/// The interface of the narrowest route to `ip`. Numbers in that file are in host byte order
/// of a value in network byte order (Linux, net/ipv4/fib_trie.c).
pub(crate) fn interface_of(routes: &str, ip: Ipv4Addr) -> Option<String> {
    let ip = u32::from_ne_bytes(ip.octets());
    let plain = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let parsed = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, net, mask) = (fields.first()?, fields.get(1)?, fields.get(7)?);
        let (net, mask) = (
            u32::from_str_radix(net, 16).ok()?,
            u32::from_str_radix(mask, 16).ok()?,
        );
        (ip & mask == net && plain(name)).then(|| (mask.count_ones(), (*name).to_owned()))
    });
    parsed.max().map(|(_, name)| name)
}

/// This host's own address towards the candidate, for a port published on every address.
pub(crate) fn own_address(publish: &Publish, candidate: SocketAddr) -> Option<SocketAddr> {
    if publish.address.is_some() {
        return None;
    }
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(candidate).ok()?;
    Some(SocketAddr::new(
        socket.local_addr().ok()?.ip(),
        publish.host,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_route_names_the_interface() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
            eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n\
            docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        if cfg!(target_endian = "little") {
            assert_eq!(
                interface_of(routes, Ipv4Addr::new(172, 17, 0, 3)).as_deref(),
                Some("docker0")
            );
            assert_eq!(
                interface_of(routes, Ipv4Addr::new(10, 0, 0, 3)).as_deref(),
                Some("eth0")
            );
        }
    }
}
