//! Flows of datagrams that the kernel would go on translating to a container that has ended.
//!
//! Docker ends them with the container, and podman does not (5.8). A client that always asks from one port, as games and
//! some resolvers do, keeps its flow alive with each question. It would never be answered again.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NlaBuffer, NlasIterator};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use step::engine::container::Container;
use step::model::port::Publish;
use step::terminal::warn;

use super::netlink::{kind, messages};

/// `NFNL_SUBSYS_CTNETLINK` and what is asked of it (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
const GET: u16 = 0x0101;
const DELETE: u16 = 0x0102;
/// `NLMSG_DONE` and `NLMSG_ERROR`, which has the negative of an error's number: nothing comes after them (netlink(7)).
const DONE: u16 = 3;
const REFUSED: u16 = 2;
/// The lengths of `struct nlmsghdr` and of `struct nfgenmsg`, whose first byte is the family.
const HEADER: usize = 16;
const BEGINNING: usize = HEADER + 4;
/// What a flow says of itself, by the same file's `enum ctattr_type`.
const ORIGINAL: u16 = 1;
const ANSWERS: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
/// And each of its directions, by `enum ctattr_tuple` and `ctattr_l4proto`.
const ADDRESS: u16 = 1;
const SPOKEN: u16 = 2;
const OWN_ZONE: u16 = 3;
const PROTOCOL: u16 = 1;
const UDP: u8 = 17;

/// An end of a direction: of which kinds its address is (`enum ctattr_ip`) and its port.
struct End {
    address: [u16; 2],
    port: u16,
}

const FROM: End = End {
    address: [1, 3],
    port: 2,
};
const TO: End = End {
    address: [2, 4],
    port: 3,
};

/// None of them lead to anybody else than this container any more, where they call one of these ports of the host.
pub(crate) fn end_astray(serving: &Container, ports: &[Publish]) {
    let addresses = [false, true].map(|is_v6| serving.addresses(is_v6)).concat();
    if let Err(why) = end_all_but(&addresses, ports) {
        warn(&format!(
            "promote: who asks from one port by UDP may not be answered for a while: {why}"
        ));
    }
}

/// Ends those that call these ports of the host, and are translated to other addresses than these. Those in a zone stay,
/// as only rules that name the zone lead there.
///
/// # Errors
/// Without the right to see them (CAP_NET_ADMIN).
fn end_all_but(addresses: &[IpAddr], ports: &[Publish]) -> io::Result<()> {
    let socket = open()?;
    socket.send(&message(GET, NLM_F_REQUEST | NLM_F_DUMP, &[0; 4]), 0)?;
    let mut ended = Vec::new();
    'all: loop {
        let (bytes, _) = socket.recv_from_full()?;
        for flow in messages(&bytes) {
            match kind(flow) {
                Some(REFUSED) => return refusal(flow).map_or(Ok(()), Err),
                None | Some(DONE) => break 'all,
                Some(_) => {}
            }
            if is_astray(flow, addresses, ports).unwrap_or_default() {
                ended.extend(named(flow));
            }
        }
    }
    for name in ended {
        // One that is gone meanwhile is no loss, so nothing is heard of it.
        socket.send(&message(DELETE, NLM_F_REQUEST, &name), 0)?;
    }
    Ok(())
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let head = [kind.to_ne_bytes(), flags.to_ne_bytes()].concat();
    [&length.to_ne_bytes()[..], &head, &[0; 8], body].concat()
}

fn refusal(message: &[u8]) -> Option<io::Error> {
    let number = message.get(HEADER..HEADER + 4)?.try_into().ok()?;
    Some(io::Error::from_raw_os_error(-i32::from_ne_bytes(number)))
}

/// As it is to be named to the kernel: its family, its first direction and its number.
fn named(flow: &[u8]) -> Option<Vec<u8>> {
    let mut name = vec![*flow.get(HEADER)?, 0, 0, 0];
    for it in [ORIGINAL, ID] {
        let attribute = attributes(flow.get(BEGINNING..)?).find(|found| found.kind() == it)?;
        let length = usize::from(attribute.length());
        name.extend(attribute.into_inner().get(..length)?);
        name.resize(name.len().next_multiple_of(4), 0);
    }
    Some(name)
}

/// Whether it is translated elsewhere. What a container asks of others is not, as its answers come from whom it calls.
fn is_astray(flow: &[u8], addresses: &[IpAddr], ports: &[Publish]) -> Option<bool> {
    let said = flow.get(BEGINNING..)?;
    let original = within(said, ORIGINAL)?;
    let is_in_zone = within(said, ZONE).or(within(&original, OWN_ZONE)).is_some();
    let called = end_of(&original, &TO)?;
    let answering = end_of(&within(said, ANSWERS)?, &FROM)?;
    let is_translated = called != answering;
    let is_served = addresses.contains(&answering.0);
    let is_called = |it: &Publish| {
        let at = it.address.filter(|at| !at.is_unspecified());
        it.host == called.1 && at.is_none_or(|at| at == called.0)
    };
    Some(is_translated && !is_in_zone && !is_served && ports.iter().any(is_called))
}

fn within(bytes: &[u8], kind: u16) -> Option<Vec<u8>> {
    let mut all = attributes(bytes);
    all.find(|it| it.kind() == kind)
        .map(|it| it.value().to_vec())
}

fn attributes(bytes: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(bytes).map_while(Result::ok)
}

/// An end of a direction of UDP.
fn end_of(direction: &[u8], end: &End) -> Option<(IpAddr, u16)> {
    let (address, spoken) = (within(direction, ADDRESS)?, within(direction, SPOKEN)?);
    (within(&spoken, PROTOCOL)? == [UDP]).then_some(())?;
    let ip = end
        .address
        .iter()
        .find_map(|kind| within(&address, *kind))?;
    let v4 = <[u8; 4]>::try_from(&ip[..]).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(&ip[..]).map(IpAddr::from));
    let port = within(&spoken, end.port)?.try_into().ok()?;
    Some((ip.ok()?, u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nla(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn direction(protocol: u8, ends: [(&End, [u8; 4], u16); 2]) -> Vec<u8> {
        let addresses = ends.map(|(end, ip, _)| nla(end.address[0], &ip)).concat();
        let ports = ends.map(|(end, _, port)| nla(end.port, &port.to_be_bytes()));
        let spoken = [nla(PROTOCOL, &[protocol]), ports.concat()].concat();
        [
            nla(ADDRESS | 0x8000, &addresses),
            nla(SPOKEN | 0x8000, &spoken),
        ]
        .concat()
    }

    /// A client calls `called`, and `answering` answers it.
    fn flow(protocol: u8, called: ([u8; 4], u16), answering: ([u8; 4], u16)) -> Vec<u8> {
        let client = ([10, 0, 0, 9], 4000);
        let to = |(ip, port)| direction(protocol, [(&FROM, client.0, client.1), (&TO, ip, port)]);
        let from = |(ip, port)| direction(protocol, [(&FROM, ip, port), (&TO, client.0, client.1)]);
        let original = nla(ORIGINAL | 0x8000, &to(called));
        let answers = nla(ANSWERS | 0x8000, &from(answering));
        let id = nla(ID, &[1, 2, 3, 4]);
        let body = [&[2, 0, 0, 0][..], &original, &answers, &id].concat();
        message(0x0100, 0, &body)
    }

    #[test]
    fn only_what_is_translated_to_others_for_these_ports_is_astray() {
        let (host, old, new) = ([10, 0, 0, 1], [172, 17, 0, 2], [172, 17, 0, 3]);
        let ports = ["10.0.0.1:5353:53/udp".parse().unwrap()];
        let is_astray = |flow: Vec<u8>| is_astray(&flow, &[new.into()], &ports);
        assert_eq!(is_astray(flow(UDP, (host, 5353), (old, 53))), Some(true));
        let in_a_zone = [flow(UDP, (host, 5353), (old, 53)), nla(ZONE, &[0, 7])].concat();
        assert_eq!(is_astray(in_a_zone), Some(false));
        assert_eq!(is_astray(flow(UDP, (host, 5353), (new, 53))), Some(false));
        assert_eq!(is_astray(flow(UDP, (host, 5354), (old, 53))), Some(false));
        assert_eq!(is_astray(flow(UDP, (old, 5353), (host, 53))), Some(false));
        assert_eq!(
            is_astray(flow(UDP, (host, 5353), (host, 5353))),
            Some(false)
        );
        assert_eq!(is_astray(flow(6, (host, 5353), (old, 53))), None);
        assert_eq!(super::is_astray(&[1, 2, 3], &[], &[]), None);
    }

    #[test]
    fn a_flow_is_named_to_the_kernel_as_the_kernel_has_named_it() {
        let flow = flow(UDP, ([10, 0, 0, 1], 5353), ([172, 17, 0, 2], 53));
        let said = named(&flow).unwrap();
        assert_eq!(said[..4], [2, 0, 0, 0]);
        assert_eq!(
            within(&said[4..], ORIGINAL),
            within(&flow[BEGINNING..], ORIGINAL)
        );
        assert_eq!(within(&said[4..], ID), Some(vec![1, 2, 3, 4]));
        assert_eq!(within(&said[4..], ANSWERS), None);
        assert_eq!(named(&flow[..30]), None);
    }
}
