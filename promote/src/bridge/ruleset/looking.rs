//! The rules that count who serves a client, in the place of a bridge's table and before there is a bridge.

use step::host::nft::Nft;
use step::model::name::Name;
use step::model::port::Protocol;

use super::tables::{ANSWERS, RELABEL, anew, chain};
use super::{datagrams, proxied};
use crate::bridge::calls::Call;
use crate::bridge::plan::Before;

/// A datagram with nothing in it, and its header (RFC 768).
const EMPTY: &str = "udp length 8";

/// Counts, behind the engine's rules, which of these calls were translated. Calls by UDP end here: they are counted where
/// a program would take them, too.
pub(crate) fn look(container: &Name, calls: &[Call], before: &Before) -> String {
    let table = Nft::table(container);
    let of = |is_inside: bool| calls.iter().filter(move |it| it.is_inside() == is_inside);
    let made = |is_inside: bool| of(is_inside).map(translated);
    // A container may call the address that others call, and its rule says where it comes from.
    let all = of(true).chain(of(false));
    let taken = all.filter(|it| it.spoken == Protocol::Udp).map(taken);
    let chains = [
        chain("output", "filter hook output priority 50", made(false)),
        chain(
            "prerouting",
            "filter hook prerouting priority 50",
            made(true).chain(taken),
        ),
        chain("relabel", RELABEL, before.former.iter().map(proxied::on)),
        chain("answers", ANSWERS, before.former.iter().map(proxied::back)),
        chain(
            "replies",
            ANSWERS,
            before.answering.iter().map(datagrams::back),
        ),
    ]
    .concat();
    format!(
        "{}table inet {table} {{\n{chains}}}\n",
        anew("inet", &table)
    )
}

/// Counts a call that was translated, and nobody else's: others call the same port meanwhile.
fn translated(call: &Call) -> String {
    let (ip, port, tag) = (call.at.ip(), call.at.port(), call.tag());
    let (family, from) = (call.family(), from(call));
    let (kind, verdict) = match call.spoken {
        Protocol::Udp => (EMPTY, "drop"),
        Protocol::Tcp | Protocol::Sctp => ("tcp dport != 0", ""),
    };
    format!(
        "{kind} {from}ct direction original ct original {family} daddr {ip} ct original proto-dst {port} \
         ct status & dnat == dnat counter {verdict} comment \"{tag}\""
    )
}

/// Counts a call by UDP that has come to a socket.
fn taken(call: &Call) -> String {
    let (ip, port, tag) = (call.at.ip(), call.at.port(), call.tag_of_taken());
    let (family, from) = (call.family(), from(call));
    format!(
        "{EMPTY} {from}{family} daddr {ip} udp dport {port} socket transparent {{ 0, 1 }} counter drop comment \"{tag}\""
    )
}

fn from(call: &Call) -> String {
    match &call.sources()[..] {
        "" => String::new(),
        some => format!("{} saddr {{ {some} }} ", call.family()),
    }
}
