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
//! proxy when a program has taken it (`taken`), or when another call was answered that nobody had translated.
//!
//! A live app that hangs, or is paused, answers nobody, and is what a release is most wanted for. Then whoever reaches the
//! port is served: by the kernel where the engine translates the call, and else by a program that takes the connection.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use step::health::ProbeConfig;
use step::host::nft::Nft;
use step::join::both;
use step::model::name::Name;
use step::model::port::Protocol;

use super::calls::Call;
use super::error::NoBridge;
use super::listing;
use super::served::{By, Client, Served, Way};
use super::taken::is_taken;

/// How long an answer may take: an engine without a proxy takes some connections and answers none.
const PATIENCE: Duration = Duration::from_secs(2);
/// A datagram from a container may wait for the address of whom it calls (arp(7)), and a proxy for its turn to run.
const SHOWN_WITHIN: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);

/// What became of a call.
enum Made {
    Answered,
    /// A connection was opened, and nothing was asked or nobody answers.
    Opened(TcpStream),
    /// No connection came about within the time, and nobody else's call is answered.
    Lost,
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

/// Has each kind of client call the live container; who is served, and whether anybody is answered. The rules that count
/// the calls stand already.
///
/// # Errors
/// When nobody was served, or the rules are gone.
pub(super) fn look(
    nft: &Nft,
    live: &Name,
    calls: &[Call],
    config: &ProbeConfig,
) -> Result<(Served, bool), NoBridge> {
    let mut made = make_all(calls, &any_answer(config));
    let is_answered = !is_sick(calls, &made);
    if !is_answered {
        for (call, made) in calls.iter().zip(&mut made) {
            *made = made.take().and_then(|made| reach(call, made));
        }
    }
    let end = Instant::now() + SHOWN_WITHIN;
    loop {
        let rules = nft.read(live).ok_or(NoBridge::Unread)?;
        let seen = seen(&rules, calls, &made);
        let may_come = |made: &Option<Made>| matches!(made, Some(Made::Sent | Made::Opened(_)));
        let are_late = |(made, seen): (&_, &_)| may_come(made) && *seen == Seen::Unserved;
        if !made.iter().zip(&seen).any(are_late) || Instant::now() > end {
            return Ok((served(calls.iter().zip(seen))?, is_answered));
        }
        thread::sleep(PAUSE);
    }
}

/// One after the other, as the app may answer no more at once. Where nobody answers the first, each may take as long.
fn make_all(calls: &[Call], config: &ProbeConfig) -> Vec<Option<Made>> {
    let Some((first, rest)) = calls.split_first() else {
        return Vec::new();
    };
    let mut all = vec![make(first, config)];
    all.extend(match all[..] {
        [Some(Made::Refused)] => at_once(rest, config),
        _ => rest.iter().map(|it| make(it, config)).collect(),
    });
    all
}

fn at_once(calls: &[Call], config: &ProbeConfig) -> Vec<Option<Made>> {
    if let [] | [_] = calls {
        return calls.iter().map(|it| make(it, config)).collect();
    }
    let (some, others) = calls.split_at(calls.len() / 2);
    let (mut some, others) = both(|| at_once(some, config), || at_once(others, config));
    some.extend(others);
    some
}

fn is_answered(made: &Option<Made>) -> bool {
    matches!(made, Some(Made::Answered))
}

/// Whether the app was asked, and has answered nobody.
fn is_sick(calls: &[Call], made: &[Option<Made>]) -> bool {
    let is_asked = |call: &Call| call.is_asked && call.spoken == Protocol::Tcp;
    calls.iter().any(is_asked) && !made.iter().any(is_answered)
}

/// How far a call comes that nobody answers.
fn reach(call: &Call, made: Made) -> Option<Made> {
    if call.spoken != Protocol::Tcp {
        return Some(made);
    }
    // An app that accepts nothing any more has no place left for another connection.
    let opened = call.connect(SHOWN_WITHIN)?;
    Some(opened.map_or(Made::Lost, Made::Opened))
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

/// What each call has shown, by what the rules have counted.
fn seen(rules: &Value, calls: &[Call], made: &[Option<Made>]) -> Vec<Seen> {
    let is_translated = |call: &Call| is_translated(rules, call);
    let mut all = calls.iter().zip(made);
    let has_proxy = all.any(|(call, made)| is_answered(made) && !is_translated(call));
    let by = |(call, made): (&Call, &Option<Made>)| match made {
        None => Seen::Nothing,
        Some(Made::Refused) => Seen::Unserved,
        // The engine may translate what it does not let cross to another network.
        Some(Made::Lost) if call.is_inside() => Seen::Unserved,
        Some(_) if is_translated(call) => Seen::Served(By::Kernel),
        Some(Made::Answered) => Seen::Served(By::Proxy),
        Some(Made::Opened(it)) if has_proxy || is_taken(it) => Seen::Served(By::Proxy),
        Some(Made::Sent) if has_counted(rules, &call.tag_of_taken()) => Seen::Served(By::Proxy),
        Some(Made::Opened(_) | Made::Lost | Made::Sent) => Seen::Unserved,
    };
    calls.iter().zip(made).map(by).collect()
}

fn is_translated(rules: &Value, call: &Call) -> bool {
    has_counted(rules, &call.tag())
}

fn has_counted(rules: &Value, tag: &str) -> bool {
    listing::counted(rules, tag, None) > 0
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
