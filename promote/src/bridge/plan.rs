//! What the rules of a bridge are made of.

use serde_json::Value;
use step::model::name::Name;
use step::model::port::Protocol;

use super::calls::Call;
use super::door::Door;
use super::listing::{self, Former, tag};
use super::redirect::PortRedirect;
use super::route::Interface;
use super::served::{By, Client, Served};

/// What the rules are made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) container: Name,
    pub(crate) redirects: Vec<PortRedirect>,
    /// Ports on which UDP is spoken: the forwarder has one port for all clients.
    pub(crate) datagrams: Vec<PortRedirect>,
    /// In which datagrams to the candidate are tracked: no other container's flows are there.
    pub(crate) zone: u16,
    pub(crate) served: Served,
    /// Whether the live container answers anybody, as far as it was asked.
    pub(crate) is_answered: bool,
    /// The candidate's place.
    pub(crate) interface: Interface,
    /// The candidate's own port of the bridge behind which it is called by IPv4, and of that by IPv6, where they are known.
    pub(crate) veths: [Option<String>; 2],
    pub(crate) before: Before,
    /// The bridges of all the engine's networks.
    pub(crate) bridges: Vec<String>,
    /// All others of this host, such as `br0` with its network card, where the kernel loses what it is handed of a bridge's
    /// packets.
    pub(crate) other_bridges: Vec<String>,
}

impl Plan {
    /// The ports of connections and those of datagrams.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PortRedirect> {
        self.redirects.iter().chain(&self.datagrams)
    }

    /// Each port in both families.
    pub(crate) fn called(&self) -> Vec<Called> {
        let mut ports: Vec<u16> = self.redirects.iter().map(|it| it.door.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let families = |port| [false, true].map(|is_v6| Called { is_v6, port });
        ports.into_iter().flat_map(families).collect()
    }

    /// The ports of forwarders to which the kernel translates connections.
    pub(crate) fn redirected(&self) -> Vec<u16> {
        let ports = self.redirects.iter();
        ports
            .flat_map(|it| it.for_containers.into_iter().chain([it.forwarder]))
            .collect()
    }

    /// What the rules that lead a call to the candidate are counted by.
    pub(crate) fn tag(&self, call: &Call) -> Option<String> {
        let is_v6 = call.at.is_ipv6();
        let door = self.redirects.iter().map(|it| &it.door);
        let is_lacking = door
            .filter(|it| it.port == call.at.port())
            .any(|it| it.candidate(is_v6).is_none());
        let is_redirected = self.redirects.iter().any(|it| it.for_containers.is_some());
        let letter = match (self.served.by(call.client, is_v6)?, call.client) {
            (By::Proxy, Client::Containers) if is_redirected => call.client.letter(),
            (By::Proxy, _) => 'P',
            // Such clients stay where they are as long as they can.
            (By::Kernel, Client::Others) if is_lacking => return None,
            // The candidate would call itself, which bridges need not allow.
            (By::Kernel, Client::Containers) => return None,
            (By::Kernel, client) => client.letter(),
        };
        Some(tag(letter, is_v6, call.at.port()))
    }
}

/// What a killed promotion has led to its own forwarders stays there.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    /// Those that take connections of containers.
    pub(crate) former: Vec<Former>,
    /// Those that answer datagrams.
    pub(crate) answering: Vec<Former>,
}

impl Before {
    /// By the rules that it has left.
    pub(crate) fn of(listing: &Value) -> Self {
        // There is one for each family.
        let mut answering = listing::formers(listing, "replies");
        answering.sort_by_key(|it| (it.called, it.forwarder));
        answering.dedup();
        Self {
            former: listing::formers(listing, "answers"),
            answering,
        }
    }

    /// Those of the port on which the same is spoken.
    pub(crate) fn at(&self, door: &Door) -> impl Iterator<Item = Former> {
        let all = match door.protocol {
            Protocol::Tcp => &self.former,
            Protocol::Udp | Protocol::Sctp => &self.answering,
        };
        let called = door.port;
        all.iter().copied().filter(move |it| it.called == called)
    }
}

/// A port in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Called {
    pub(crate) is_v6: bool,
    pub(crate) port: u16,
}

impl Called {
    /// What a rule about it is counted by.
    pub(crate) fn tag(self, letter: char) -> String {
        tag(letter, self.is_v6, self.port)
    }
}
