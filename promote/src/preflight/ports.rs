//! Whether the host ports that the final container wants are free for it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::model::port::{Protocol, Publish};

/// A host port that something else has.
#[derive(Debug, PartialEq)]
pub(crate) struct Taken {
    /// As `80` or `53/udp`.
    pub(crate) port: String,
    /// The name of the container that publishes it; `None` is another program.
    pub(crate) by: Option<String>,
}

impl Taken {
    pub(crate) fn who(&self) -> String {
        match &self.by {
            Some(name) => format!("the container {name}"),
            None => "another program".to_owned(),
        }
    }
}

/// The first of `wanted` that something else than `holder` listens on or publishes.
///
/// The engine itself checks a port only when the container starts, which is too late. With the
/// userland proxy off nothing listens on a published port, so the engine is asked as well. Of SCTP it alone knows.
pub(crate) fn taken(
    engine: &Engine,
    wanted: &[Publish],
    holder: Option<&Container>,
) -> Result<Option<Taken>, EngineError> {
    for publish in wanted {
        let (port, protocol) = (publish.host, publish.protocol);
        let bound = holder.map(|holder| holder.network_settings.bound_for(protocol));
        let bound = bound.unwrap_or_default();
        let own = holder.map(|holder| own(holder, protocol));
        let own = own.unwrap_or_default();
        let address = publish.address.filter(|ip| !ip.is_unspecified());
        // What the holder publishes already no other container can.
        let others = if holds(&bound, port, address) {
            Vec::new()
        } else {
            publishers(engine, publish, holder)?
        };
        let mut listeners = listeners(port, protocol);
        listeners.retain(|at| !holds(&bound, port, *at) && !holds(&own, port, *at));
        // A container's port has a listener as well, which does not say whose it is.
        let listeners = listeners.into_iter().map(|at| (at, None));
        let named = others.into_iter().map(|(at, name)| (at, Some(name)));
        let mut in_the_way = named.chain(listeners);
        if let Some((_, by)) = in_the_way.find(|(at, _)| meet(*at, address)) {
            let port = publish.host_port();
            return Ok(Some(Taken { port, by }));
        }
    }
    Ok(None)
}

/// The ports that a container which runs, or is about to again, was created with: between two of its
/// restarts it publishes nothing, and an instant later its proxy listens once more.
fn own(holder: &Container, protocol: Protocol) -> Vec<Publish> {
    let runs = holder.state.running || holder.state.restarting;
    let published = runs.then(|| holder.host_config.published());
    let published = published.unwrap_or_default().into_iter();
    let own = published.filter(|it| it.protocol == protocol);
    own.map(Publish::of_any).collect()
}

fn holds(held: &[Publish], port: u16, address: Option<IpAddr>) -> bool {
    let mut held = held.iter().filter(|held| held.host == port);
    held.any(|held| held.address.is_none() || held.address == address)
}

/// Whether two sockets cannot have the same port, the one on address `a`, the other on `b`.
fn meet(a: Option<IpAddr>, b: Option<IpAddr>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// At which addresses other containers publish the port, and their names; `None` is every one.
fn publishers(
    engine: &Engine,
    wanted: &Publish,
    holder: Option<&Container>,
) -> Result<Vec<(Option<IpAddr>, String)>, EngineError> {
    let ids = engine.publishing(wanted)?;
    let others: Vec<&str> = ids
        .iter()
        .map(String::as_str)
        .filter(|id| holder.is_none_or(|holder| holder.id != *id))
        .collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for other in engine.containers(&others)? {
        let bound = other.network_settings.bound_for(wanted.protocol);
        let here = bound
            .into_iter()
            .filter(|publish| publish.host == wanted.host);
        found.extend(here.map(|publish| (publish.address, other.name().to_owned())));
    }
    Ok(found)
}

/// At which addresses of this machine something listens on the port; `None` is every one.
///
/// Reads the kernel's list of sockets, which needs no right, unlike binding a port below 1024. One of UDP that is
/// connected to a peer is a client's, and no bar to a server for long.
fn listeners(port: u16, protocol: Protocol) -> Vec<Option<IpAddr>> {
    const LISTENING: &str = "0A";
    const UNCONNECTED: &str = "07";
    let (waiting, tables) = match protocol {
        Protocol::Tcp => (LISTENING, ["/proc/net/tcp", "/proc/net/tcp6"]),
        Protocol::Udp => (UNCONNECTED, ["/proc/net/udp", "/proc/net/udp6"]),
        Protocol::Sctp => return Vec::new(),
    };
    let text = tables.map(|table| fs::read_to_string(table).unwrap_or_default());
    let lines = text.iter().flat_map(|text| text.lines().skip(1));
    lines
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (address, at) = fields.next()?.split_once(':')?;
            let listens = fields.nth(1)? == waiting && u16::from_str_radix(at, 16) == Ok(port);
            listens.then(|| address_of(address))
        })
        .collect()
}

/// The kernel writes an address as one or four words of eight hex digits, each in the byte order
/// of the machine. What cannot be read counts as every address.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |i: usize| u32::from_str_radix(hex.get(8 * i..8 * i + 8)?, 16).ok();
    let words = (0..hex.len() / 8).map(word).collect::<Option<Vec<_>>>()?;
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let address = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(four) => IpAddr::from(Ipv4Addr::from(four)),
        Err(_) => {
            let sixteen = <[u8; 16]>::try_from(&bytes[..]).ok()?;
            IpAddr::from(Ipv6Addr::from(sixteen)).to_canonical()
        }
    };
    Some(address).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn a_container_between_two_restarts_still_has_the_ports_it_was_created_with() {
        let container = |restarting: bool| {
            serde_json::from_value(json!({
                "Id": "", "Name": "web", "Image": "", "Config": {}, "NetworkSettings": {"Ports": {}},
                "State": {"Running": restarting, "Restarting": restarting},
                "HostConfig": {"PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}},
            }))
            .unwrap()
        };
        let at = |ip: &str| Some(ip.parse().unwrap());
        let held = own(&container(true), Protocol::Tcp);
        assert!(holds(&held, 80, at("127.0.0.1")) && !holds(&held, 80, at("127.0.0.2")));
        assert!(own(&container(false), Protocol::Tcp).is_empty());
        assert!(own(&container(true), Protocol::Udp).is_empty());
    }

    #[test]
    fn a_listening_port_is_seen_with_its_address() {
        for (at, seen) in [
            ("127.0.0.1:0", Some("127.0.0.1")),
            ("127.0.0.2:0", Some("127.0.0.2")),
            ("0.0.0.0:0", None),
        ] {
            let listener = TcpListener::bind(at).unwrap();
            let port = listener.local_addr().unwrap().port();
            let seen = seen.map(|ip| ip.parse().unwrap());
            assert_eq!(listeners(port, Protocol::Tcp), [seen]);
            drop(listener);
            assert_eq!(listeners(port, Protocol::Tcp), []);
        }
    }

    #[test]
    fn a_port_of_udp_is_seen_until_its_socket_has_a_peer() {
        let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let seen = Some("127.0.0.2".parse().unwrap());
        assert_eq!(listeners(port, Protocol::Udp), [seen]);
        assert_eq!(listeners(port, Protocol::Sctp), []);
        socket.connect("127.0.0.1:9").unwrap();
        assert_eq!(listeners(port, Protocol::Udp), []);
    }

    #[test]
    fn addresses_meet_where_one_is_every_address() {
        let ip = |text: &str| Some(text.parse().unwrap());
        assert!(meet(None, ip("127.0.0.1")) && meet(ip("::1"), None));
        assert!(meet(ip("127.0.0.1"), ip("127.0.0.1")));
        assert!(!meet(ip("127.0.0.1"), ip("127.0.0.2")));
    }

    proptest! {
        #[test]
        fn any_text_in_place_of_an_address_is_read_or_passed_over(hex in "[0-9A-F]{0,40}|\\PC{0,12}", ip in any::<Ipv4Addr>()) {
            address_of(&hex);
            let written = format!("{:08X}", u32::from_ne_bytes(ip.octets()));
            prop_assert_eq!(address_of(&written), Some(IpAddr::from(ip)).filter(|ip| !ip.is_unspecified()));
        }
    }
}
