//! Who is answered on the live container's port, and by whom: one call of each kind, before the bridge opens.
//!
//! The bridge must lead those who were served before, and nobody else, the way they came before: a firewall sees an
//! address that the engine translates where packets are forwarded, and one that its proxy serves where they come in.
//! Which is which depends on the engine's version, on its flags (`--userland-proxy`, `--iptables`, `--ipv6`), on its
//! backend and on the container's network. So nothing of that is guessed. Each kind of client calls a port, and a rule
//! behind the engine's own counts whether its packets were translated. Docker 26 and 28 and podman 5 were seen to treat
//! all clients of one kind alike.
//!
//! A kind that cannot call the port of the health check calls another one. One port may be published on loopback, and
//! another one for everybody. The port of the health check has to answer. A connection to any other port is only opened,
//! and no datagram comes through: the app gets nothing that it would have to make sense of.
//!
//! An engine without a proxy listens on some ports all the same, and never takes what comes. So a connection shows a
//! proxy when a program has taken it, or when another call was answered that nobody had translated.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use step::health::ProbeConfig;
use step::host::nft::Nft;
use step::model::name::Name;
use step::model::port::Protocol;

use super::calls::Call;
use super::error::NoBridge;
use super::listing;
use super::served::{By, Client, Served, Way};
use crate::traffic::connections::connections_here;

/// How long an answer may take: an engine without a proxy takes some connections and answers none.
const PATIENCE: Duration = Duration::from_secs(2);
/// A datagram from a container may wait for the address of whom it calls (arp(7)), and a proxy for its turn to run.
const SHOWN_WITHIN: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);

/// What became of a call.
enum Made {
    Answered,
    /// A connection was opened, and nothing was asked.
    Opened(TcpStream),
    Refused,
    /// A datagram, which rules count and drop.
    Sent,
}

/// What a call has shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Served(By),
    Unserved,
    /// Nobody may call from there.
    Nothing,
}

/// Has each kind of client call the live container. The rules that count the calls stand already.
///
/// # Errors
/// When nobody was served, or the rules are gone.
pub(super) fn look(
    nft: &Nft,
    live: &Name,
    calls: &[Call],
    config: &ProbeConfig,
) -> Result<Served, NoBridge> {
    let config = any_answer(config);
    let made: Vec<Option<Made>> = calls.iter().map(|it| make(it, &config)).collect();
    let end = Instant::now() + SHOWN_WITHIN;
    loop {
        let rules = nft.read(live).ok_or(NoBridge::Unread)?;
        let seen = seen(&rules, calls, &made);
        let may_come = |made: &Option<Made>| matches!(made, Some(Made::Sent | Made::Opened(_)));
        let are_late = |(made, seen): (&_, &_)| may_come(made) && *seen == Seen::Unserved;
        if !made.iter().zip(&seen).any(are_late) || Instant::now() > end {
            return served(calls.iter().zip(seen));
        }
        thread::sleep(PAUSE);
    }
}

/// Makes a call; `None` where nobody may call from there.
fn make(call: &Call, config: &ProbeConfig) -> Option<Made> {
    let good = match (call.spoken, call.is_asked) {
        (Protocol::Udp, _) => call.send().map(|()| Made::Sent),
        (_, true) => call.make(config)?.ok().map(|_| Made::Answered),
        (_, false) => call.connect(config.timeout)?.ok().map(Made::Opened),
    };
    Some(good.unwrap_or(Made::Refused))
}

/// Whether a program of this host has taken the connection. One that waits to be taken is no file yet, and has no number.
fn is_taken(connection: &TcpStream) -> bool {
    let Ok(ours) = connection.local_addr() else {
        return false;
    };
    let is_ours = |it: SocketAddr| (it.ip(), it.port()) == (ours.ip(), ours.port());
    let taken = connections_here(|it| !it.listens && is_ours(it.peer) && it.inode != 0);
    taken.is_ok_and(|found| found.open > 0)
}

/// What each call has shown, by what the rules have counted.
fn seen(rules: &Value, calls: &[Call], made: &[Option<Made>]) -> Vec<Seen> {
    let counted = |tag: &str| listing::counted(rules, tag, None) > 0;
    let is_translated = |call: &Call| counted(&call.tag());
    let mut all = calls.iter().zip(made);
    // An engine without a proxy takes some connections, too, and answers none.
    let has_proxy =
        all.any(|(call, made)| matches!(made, Some(Made::Answered)) && !is_translated(call));
    let by = |(call, made): (&Call, &Option<Made>)| match made {
        None => Seen::Nothing,
        Some(Made::Refused) => Seen::Unserved,
        Some(_) if is_translated(call) => Seen::Served(By::Kernel),
        Some(Made::Answered) => Seen::Served(By::Proxy),
        Some(Made::Opened(it)) if has_proxy || is_taken(it) => Seen::Served(By::Proxy),
        Some(Made::Sent) if counted(&call.tag_of_taken()) => Seen::Served(By::Proxy),
        Some(Made::Opened(_) | Made::Sent) => Seen::Unserved,
    };
    calls.iter().zip(made).map(by).collect()
}

/// Who may not call from a container takes it for one as engines do.
fn served<'a>(seen: impl Iterator<Item = (&'a Call, Seen)>) -> Result<Served, NoBridge> {
    let mut served = Served::default();
    for (call, seen) in seen {
        let is_v6 = call.at.is_ipv6();
        let by = match seen {
            Seen::Served(by) => Some(by),
            Seen::Unserved => None,
            Seen::Nothing => served.by(Client::Loopback, is_v6),
        };
        let client = call.client;
        served.0.extend(by.map(|by| Way { client, is_v6, by }));
    }
    if served.0.is_empty() {
        return Err(NoBridge::NobodyAnswered);
    }
    Ok(served)
}

/// Who says that the app is sick is answered, too.
fn any_answer(config: &ProbeConfig) -> ProbeConfig {
    let mut config = config.clone();
    config.timeout = config.timeout.min(PATIENCE);
    config.probe.expect_status = "100-599".parse().ok();
    config.probe.expect_body = None;
    config
}
