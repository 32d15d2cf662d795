//! Who is answered on the live container's port, and by whom: one call of each kind, before the bridge opens.
//!
//! The bridge must lead those who were served before, and nobody else, the way they came before: a firewall sees an
//! address that the engine translates where packets are forwarded, and one that its proxy serves where they come in.
//! Which is which depends on the engine's version, on its flags (`--userland-proxy`, `--iptables`, `--ipv6`), on its
//! backend and on the container's network. So nothing of that is guessed. Each kind of client calls the port, and a rule
//! behind the engine's own counts whether its packets were translated. Docker 26 and 28 and podman 5 were seen to treat
//! all clients of one kind alike.

use std::thread;
use std::time::{Duration, Instant};

use step::health::ProbeConfig;
use step::host::nft::Nft;
use step::model::name::Name;

use super::calls::Call;
use super::error::NoBridge;
use super::listing;
use super::served::{By, Client, Served, Way};

/// How long an answer may take: an engine without a proxy takes some connections and answers none.
const PATIENCE: Duration = Duration::from_secs(2);
/// A datagram from a container may wait for the address of whom it calls (arp(7)).
const COUNTED_WITHIN: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);

/// Calls the live container's port in every way. The rules that count the calls stand already.
///
/// # Errors
/// When nobody was answered, or the rules are gone.
pub(super) fn look(
    nft: &Nft,
    live: &Name,
    calls: &[Call],
    config: &ProbeConfig,
) -> Result<Served, NoBridge> {
    let config = any_answer(config);
    let answers: Vec<Option<bool>> = calls
        .iter()
        .map(|it| Some(it.make(&config)?.is_ok()))
        .collect();
    let rules = nft.read(live).ok_or(NoBridge::Unread)?;
    let by = |call: &Call, answer: Option<bool>| match answer {
        Some(true) if listing::counted(&rules, &call.tag(), None) > 0 => Seen::Served(By::Kernel),
        Some(true) => Seen::Served(By::Proxy),
        Some(false) => Seen::Unserved,
        None => Seen::Nothing,
    };
    served(
        calls
            .iter()
            .zip(answers)
            .map(|(call, answer)| (call, by(call, answer))),
    )
}

/// The same of a port of datagrams. The rules that count them let none pass, so that the app gets nothing that it would
/// have to make sense of. What they do not count, nobody would have taken.
///
/// # Errors
/// When nobody is served, or the rules are gone.
pub(super) fn look_by_datagrams(
    nft: &Nft,
    live: &Name,
    calls: &[Call],
) -> Result<Served, NoBridge> {
    let sent: Vec<bool> = calls.iter().map(|it| it.send().is_some()).collect();
    let end = Instant::now() + COUNTED_WITHIN;
    loop {
        let rules = nft.read(live).ok_or(NoBridge::Unread)?;
        let counted = |tag: &str| listing::counted(&rules, tag, None) > 0;
        let by = |call: &Call, is_sent: bool| match is_sent {
            true if counted(&call.tag()) => Seen::Served(By::Kernel),
            true if counted(&call.tag_of_taken()) => Seen::Served(By::Proxy),
            true => Seen::Unserved,
            false => Seen::Nothing,
        };
        let seen = calls.iter().zip(&sent);
        let seen: Vec<_> = seen
            .map(|(call, is_sent)| (call, by(call, *is_sent)))
            .collect();
        let are_all_counted = seen.iter().all(|(_, seen)| !matches!(seen, Seen::Unserved));
        if are_all_counted || Instant::now() > end {
            return served(seen.into_iter());
        }
        thread::sleep(PAUSE);
    }
}

/// What a call has shown.
enum Seen {
    Served(By),
    Unserved,
    /// Nobody may call from there.
    Nothing,
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
