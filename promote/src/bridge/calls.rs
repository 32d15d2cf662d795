//! How each kind of client calls a port, made from here and from within the candidate's network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use step::engine::address::towards;
use step::engine::container::Container;
use step::health::ProbeConfig;
use step::health::poll::probe_once;
use step::health::target::Target;
use step::model::port::Protocol;

use super::listing::tag;
use super::redirect::Door;
use super::route;
use super::served::Client;
use crate::traffic::connections::within;

/// How one kind of client calls the port.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) client: Client,
    pub(crate) at: SocketAddr,
    /// What is spoken there.
    pub(crate) spoken: Protocol,
    /// Whether health is asked there.
    pub(crate) is_asked: bool,
    /// The process in whose network the client is; `None` is this one's.
    from: Option<i32>,
    /// The addresses from which a client there may call.
    sources: Vec<IpAddr>,
}

impl Call {
    /// Whether the client is in a container.
    pub(crate) fn is_inside(&self) -> bool {
        self.from.is_some()
    }

    /// nft's word for the family of its addresses.
    pub(crate) fn family(&self) -> &'static str {
        if self.at.is_ipv6() { "ip6" } else { "ip" }
    }

    /// The addresses from which it is made, where it is made in a container; for a set of nft's.
    pub(crate) fn sources(&self) -> String {
        let all: Vec<String> = self.sources.iter().map(IpAddr::to_string).collect();
        all.join(", ")
    }

    /// What a rule that counts it has as its comment.
    pub(crate) fn tag(&self) -> String {
        tag(self.client.letter(), self.at.is_ipv6(), self.at.port())
    }

    /// The same of a rule that counts what a program would take.
    pub(crate) fn tag_of_taken(&self) -> String {
        format!("taken-{}", self.tag())
    }

    /// Asks for the app's health; `None` where nobody can ask from there, as this process may not, or there, as the address
    /// has gone from this host.
    ///
    /// # Errors
    /// What was seen instead.
    pub(crate) fn make(&self, config: &ProbeConfig) -> Option<Result<String, String>> {
        let (at, config) = (self.at, config.clone());
        self.there(move || probe_once(&Target::at(at, &config)))
    }

    /// Only connects; `None` as in [`Self::make`].
    ///
    /// # Errors
    /// When nobody takes the connection.
    pub(crate) fn connect(&self, within: Duration) -> Option<io::Result<TcpStream>> {
        let at = self.at;
        self.there(move || TcpStream::connect_timeout(&at, within))
    }

    /// Sends a datagram with nothing in it, whatever becomes of it; `None` as in [`Self::make`]. The kernel tells of one that
    /// a rule drops at once as of one that cannot be sent.
    pub(crate) fn send(&self) -> Option<()> {
        let at = self.at;
        let any: IpAddr = match at {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let send = move || -> io::Result<()> {
            let _ = UdpSocket::bind((any, 0))?.send_to(&[], at);
            Ok(())
        };
        self.there(send)?.ok()
    }

    /// Whether the address is this host's own: then the way there begins at itself.
    fn is_there(&self) -> bool {
        towards(self.at.ip()) == Some(self.at.ip())
    }

    fn there<T: Send + 'static, E: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Option<Result<T, E>> {
        let asked = match self.from {
            None => ask(),
            Some(pid) => within(pid, move || Ok(ask())).ok()?,
        };
        Some(asked).filter(|it| it.is_ok() || self.is_there())
    }
}

/// One of each kind that can call any of the ports. It calls that of the health check, if it can.
pub(crate) fn one_of_each_kind<'a>(
    doors: impl Iterator<Item = &'a Door>,
    candidate: &Container,
    config: &ProbeConfig,
) -> Vec<Call> {
    let mut doors: Vec<&Door> = doors.collect();
    doors.sort_by_key(|it| !it.is_asked(config));
    let mut all: Vec<Call> = Vec::new();
    // Where health is asked at none of them, any answer of the first one shows as much.
    let of = |(nth, door): (usize, &Door)| {
        let is_first = nth == 0 && door.protocol == Protocol::Tcp;
        calls(door, candidate, is_first || door.is_asked(config))
    };
    for call in doors.into_iter().enumerate().flat_map(of) {
        let kind = |it: &Call| (it.client, it.at.is_ipv6());
        if !all.iter().any(|it| kind(it) == kind(&call)) {
            all.push(call);
        }
    }
    all
}

/// The calls that show all there is: of each kind one, as far as the port is bound for it.
pub(crate) fn calls(door: &Door, candidate: &Container, is_asked: bool) -> Vec<Call> {
    let pid = candidate.state.pid;
    let call = |client, ip: Option<IpAddr>, from: Option<i32>| {
        let at = SocketAddr::new(ip?, door.port);
        let inside = from.map(|_| candidate.addresses(at.is_ipv6()));
        Some(Call {
            client,
            at,
            spoken: door.protocol,
            is_asked,
            from,
            sources: inside.unwrap_or_default(),
        })
    };
    let of = |loopback: IpAddr, own: Option<IpAddr>, beside: Option<IpAddr>| {
        let is_v6 = loopback.is_ipv6();
        let outer = |ip: Option<IpAddr>| {
            door.bound(is_v6, false)
                .or(ip.filter(|_| door.is_everywhere(is_v6)))
        };
        let inner = door
            .bound(is_v6, true)
            .or(Some(loopback).filter(|_| door.is_everywhere(is_v6)));
        [
            call(Client::Loopback, inner, None),
            call(Client::Others, outer(own), None),
            call(Client::Containers, outer(beside), Some(pid)),
        ]
    };
    let beside4 = towards(door.v4.ip());
    let beside6 = door.v6.and_then(|to| towards(to.ip()));
    let v4 = of(Ipv4Addr::LOCALHOST.into(), beside4, beside4);
    let v6 = of(Ipv6Addr::LOCALHOST.into(), route::own_v6(), beside6);
    let mut all: Vec<Call> = v4.into_iter().chain(v6).flatten().collect();
    // A container without such an address cannot call one.
    all.retain(|it| it.client != Client::Containers || it.at.is_ipv4() || door.v6.is_some());
    all
}
