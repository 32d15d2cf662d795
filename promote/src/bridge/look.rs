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
//! A live app that hangs, or is paused, answers nobody, and is what a release is most wanted for. Then whoever reaches the
//! port is served: by the kernel where the engine translates the call, and else by a program that takes the connection.

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
/// A datagram from a container may wait for the address of whom it calls (arp(7)).
const COUNTED_WITHIN: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Answered,
    /// A connection was opened, and nothing was asked.
    Opened,
    /// A program of this host took the connection of a call that nobody answers.
    Taken,
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
        let rules = nft.read(live).ok_or(NoBridge::Unread)?;
        for (call, made) in calls.iter().zip(&mut made) {
            *made = made.and_then(|made| reach(call, made, is_translated(&rules, call)));
        }
    }
    let end = Instant::now() + COUNTED_WITHIN;
    loop {
        let rules = nft.read(live).ok_or(NoBridge::Unread)?;
        let seen = seen(&rules, calls, &made);
        let are_late = |(made, seen)| (made, seen) == (&Some(Made::Sent), &Seen::Unserved);
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

/// Whether the app was asked, and has answered nobody.
fn is_sick(calls: &[Call], made: &[Option<Made>]) -> bool {
    let is_asked = |call: &Call| call.is_asked && call.spoken == Protocol::Tcp;
    calls.iter().any(is_asked) && !made.contains(&Some(Made::Answered))
}

/// How far a call comes that nobody answers.
fn reach(call: &Call, made: Made, is_translated: bool) -> Option<Made> {
    if call.spoken != Protocol::Tcp {
        return Some(made);
    }
    Some(match call.connect(COUNTED_WITHIN)? {
        // An app that accepts nothing any more has no place left for another connection.
        Err(_) => Made::Lost,
        Ok(opened) if !is_translated && is_taken(&opened, COUNTED_WITHIN) => Made::Taken,
        Ok(_) => Made::Opened,
    })
}

/// Makes a call; `None` where nobody may call from there.
fn make(call: &Call, config: &ProbeConfig) -> Option<Made> {
    let (good, is_good) = match (call.spoken, call.is_asked) {
        (Protocol::Udp, _) => (Made::Sent, call.send().is_some()),
        (_, true) => (Made::Answered, call.make(config)?.is_ok()),
        (_, false) => (Made::Opened, call.connect(config.timeout)?.is_ok()),
    };
    Some(if is_good { good } else { Made::Refused })
}

/// What each call has shown, by what the rules have counted.
fn seen(rules: &Value, calls: &[Call], made: &[Option<Made>]) -> Vec<Seen> {
    let is_translated = |call: &Call| is_translated(rules, call);
    let mut all = calls.iter().zip(made);
    // An engine without a proxy takes some connections, too, and answers none.
    let has_proxy = all.any(|(call, made)| *made == Some(Made::Answered) && !is_translated(call));
    let by = |(call, made): (&Call, &Option<Made>)| match made {
        None => Seen::Nothing,
        Some(Made::Refused) => Seen::Unserved,
        // The engine may translate what it does not let cross to another network.
        Some(Made::Lost) if call.is_inside() => Seen::Unserved,
        Some(_) if is_translated(call) => Seen::Served(By::Kernel),
        Some(Made::Answered | Made::Taken) => Seen::Served(By::Proxy),
        Some(Made::Opened) if has_proxy => Seen::Served(By::Proxy),
        Some(Made::Sent) if has_counted(rules, &call.tag_of_taken()) => Seen::Served(By::Proxy),
        Some(Made::Opened | Made::Lost | Made::Sent) => Seen::Unserved,
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
