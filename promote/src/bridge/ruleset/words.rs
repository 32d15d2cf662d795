//! What rules about one port are made of, in one family.

use std::net::SocketAddr;

use step::model::port::Protocol;

use crate::bridge::listing::tag;
use crate::bridge::plan::Plan;
use crate::bridge::redirect::PortRedirect;
use crate::bridge::served::{By, Client};

/// The first packet of a connection.
pub(super) const OPENING: &str = "tcp flags & (fin|syn|rst|ack) == syn";
/// As long as nft takes one.
const LONGEST_COMMENT: usize = 128;

/// One port in one family.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) plan: &'a Plan,
    pub(super) redirect: &'a PortRedirect,
    is_v6: bool,
}

/// One port in both families, or where it is open in only one, in that.
pub(super) fn families<'a>(
    plan: &'a Plan,
    redirect: &'a PortRedirect,
) -> impl Iterator<Item = (Words<'a>, String)> {
    let words = |is_v6| Words {
        plan,
        redirect,
        is_v6,
    };
    let all = [false, true].map(words).into_iter();
    all.filter_map(|it| Some((it, it.calling()?)))
}

impl<'a> Words<'a> {
    fn of<T>(self, v4: T, v6: T) -> T {
        if self.is_v6 { v6 } else { v4 }
    }

    /// The word for the family in front of an address.
    pub(super) fn ip(self) -> &'static str {
        self.of("ip", "ip6")
    }

    /// The loopback address at which forwarders listen.
    pub(super) fn loopback(self) -> &'static str {
        self.of("127.0.0.1", "[::1]")
    }

    pub(super) fn family(self) -> &'static str {
        self.of("meta nfproto ipv4", "meta nfproto ipv6")
    }

    pub(super) fn is_called_on_loopback(self) -> &'static str {
        self.of("ip daddr 127.0.0.0/8", "ip6 daddr ::1")
    }

    /// The engine leaves link-local senders to its proxy, too.
    pub(super) fn is_called_beside_loopback(self) -> &'static str {
        self.of(
            "ip daddr != 127.0.0.0/8",
            "ip6 daddr != ::1 ip6 saddr != fe80::/10",
        )
    }

    /// Opens a connection at the port, or is a datagram for it; `None` where it is not open in this family.
    fn calling(self) -> Option<String> {
        let door = &self.redirect.door;
        let single: Vec<String> = door.single(self.is_v6).map(|ip| ip.to_string()).collect();
        let place = match (door.is_everywhere(self.is_v6), &single[..]) {
            (true, _) => format!("fib daddr type local{}", self.but_for_others()),
            (false, []) => return None,
            (false, some) => format!("{} daddr {{ {} }}", self.ip(), some.join(", ")),
        };
        let (family, spoken, port) = (self.family(), self.spoken(), door.port);
        let called = format!("{family} {spoken} dport {port} {place}");
        Some(match door.protocol {
            Protocol::Tcp => format!("{called} {OPENING}"),
            Protocol::Udp | Protocol::Sctp => called,
        })
    }

    /// Not at an address that another publish of the port has.
    fn but_for_others(self) -> String {
        let theirs = self.redirect.door.excepted(self.is_v6);
        match &theirs.map(|ip| ip.to_string()).collect::<Vec<_>>()[..] {
            [] => String::new(),
            some => format!(" {} daddr != {{ {} }}", self.ip(), some.join(", ")),
        }
    }

    /// The candidate's own port of its bridge, where it is known.
    pub(super) fn veth(self) -> Option<&'a str> {
        self.plan.veths[usize::from(self.is_v6)].as_deref()
    }

    /// The word for what is spoken, in front of a port.
    pub(super) fn spoken(self) -> &'static str {
        self.redirect.door.protocol.word()
    }

    /// Comes from one of the engine's bridges; `None` where it has none.
    pub(super) fn off_bridges(self) -> Option<String> {
        from("", &self.plan.bridges)
    }

    /// Comes from none of the engine's bridges, nor of those from which the kernel would lose it.
    pub(super) fn beside_bridges(self) -> Option<String> {
        let all = [&self.plan.bridges[..], &self.plan.other_bridges].concat();
        from("!= ", &all)
    }

    /// Comes from a bridge by which clients call who are the proxy's; `None` where there is none. Behind other bridges than
    /// the engine's are other hosts.
    pub(super) fn off_proxied_bridges(self) -> Option<String> {
        let engines = self.has_proxy().then_some(&self.plan.bridges[..]);
        let other = self
            .by(Client::Others)
            .map(|_| &self.plan.other_bridges[..]);
        let all: Vec<&[String]> = engines.into_iter().chain(other).collect();
        from("", &all.concat())
    }

    /// Whether a program of the engine's listens on the port, for whoever may come in.
    pub(super) fn has_proxy(self) -> bool {
        self.plan.served.has_proxy(self.is_v6)
    }

    /// Somebody's rules may lead another port or address of this host here, where a proxy serves that, too. What the
    /// engine or a bridge has translated is not for this host any more. Without a proxy nobody serves what is.
    pub(super) fn led_here(self) -> &'static str {
        match self.has_proxy() {
            true => "",
            false => "ct status & dnat != dnat",
        }
    }

    pub(super) fn by(self, client: Client) -> Option<By> {
        self.plan.served.by(client, self.is_v6)
    }

    pub(super) fn candidate(self) -> Option<SocketAddr> {
        self.redirect.door.candidate(self.is_v6)
    }

    /// Was translated to the candidate.
    pub(super) fn is_translated(self) -> Option<String> {
        let (to, called) = (self.candidate()?, self.redirect.door.port);
        Some(format!(
            "{} daddr {} {} dport {} ct status & dnat == dnat ct original proto-dst {called}",
            self.ip(),
            to.ip(),
            self.spoken(),
            to.port(),
        ))
    }

    /// A rule whose packets are counted for those of this letter.
    pub(super) fn counted(self, letter: char, matches: &str, verdict: &str) -> String {
        let tag = match self.redirect.door.protocol {
            Protocol::Tcp => tag(letter, self.is_v6, self.redirect.door.port),
            Protocol::Udp | Protocol::Sctp => "datagram".to_owned(),
        };
        let comment = format!("{tag} promote of {}", self.plan.container);
        let comment: String = comment.chars().take(LONGEST_COMMENT).collect();
        format!("{matches} counter {verdict} comment \"{comment}\"")
    }
}

/// Comes from one of these interfaces, or with `!= ` from none of them; `None` where there are none.
fn from(not: &str, interfaces: &[String]) -> Option<String> {
    let names: Vec<String> = interfaces.iter().map(|it| format!("\"{it}\"")).collect();
    (!names.is_empty()).then(|| format!("iifname {not}{{ {} }}", names.join(", ")))
}
