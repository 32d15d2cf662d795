//! Whether a firewall stops other hosts on their way to the candidate.
//!
//! A rule may name the live container's address, or drop what nothing allows: other hosts then get nothing for as long as
//! the bridge stands. Packet counters tell, as what comes in does not go on. But a firewall also stops hosts at all times:
//! a banned one, or all of them. Those lose nothing by a bridge.
//!
//! A look before the bridge opened could not tell one from the other. A host that is stopped repeats its first packet
//! only after a second, so a short look rarely meets it. Now the same is counted on the way to the live container, once
//! somebody is known to be stopped: the bridge is closed meanwhile, and the live container serves all it served before.

use std::thread;
use std::time::{Duration, Instant};

use super::listing::{ENTERED, FORWARDED, counted};
use super::plan::{Called, Plan};
use super::rules::Rules;
use super::ruleset::passing;
use super::served::Client;

/// Packets that are counted twice may be on their way between the two.
const PAUSE: Duration = Duration::from_millis(20);
/// Who is stopped repeats the first packet after one second, and again two seconds later (tcp(7), `tcp_syn_retries`).
const REPEATED_WITHIN: Duration = Duration::from_secs(4);

/// What becomes of other hosts' packets on their way to the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// They arrive.
    Free,
    /// Some are stopped, as some were on their way to the live container. The bridge was closed for a moment to see it.
    AsBefore,
    /// Some are stopped that would reach the live container.
    Blocked,
}

/// The ports at which a firewall may stop other hosts.
#[derive(Debug)]
pub(super) struct Firewall {
    /// Without those at which it was seen to stop some with the bridge and without it.
    unseen: Vec<Called>,
}

impl Firewall {
    /// A live container that answers nobody would serve none of them while the bridge is closed.
    pub(super) fn on_the_way(plan: &Plan) -> Self {
        let unseen = match plan.is_answered {
            true => plan.called(),
            false => Vec::new(),
        };
        Self { unseen }
    }

    /// Sees what it lets pass of other hosts' packets. The rules may be closed meanwhile; `reopen` opens them again.
    pub(super) fn passage(&mut self, rules: &Rules, reopen: impl FnOnce() -> bool) -> Passage {
        let to_candidate = [
            (Client::Others.letter(), "prerouting"),
            (FORWARDED, "forward"),
        ];
        let stopped = stopped(rules, &self.unseen, to_candidate);
        if stopped.is_empty() {
            return Passage::Free;
        }
        let were_before = are_stopped_without(rules, &stopped);
        self.unseen.retain(|it| !stopped.contains(it));
        if reopen() && were_before {
            Passage::AsBefore
        } else {
            Passage::Blocked
        }
    }
}

/// Whether some are stopped at each of these ports on their way to the live container, too. Leaves the rules closed.
fn are_stopped_without(rules: &Rules, ports: &[Called]) -> bool {
    let script = passing(&rules.container, ports);
    if rules.close().is_err() || rules.nft.apply(&script).is_err() {
        return false;
    }
    let to_live = [(ENTERED, "entered"), (FORWARDED, "passed")];
    let end = Instant::now() + REPEATED_WITHIN;
    while Instant::now() < end {
        if stopped(rules, ports, to_live).len() == ports.len() {
            return true;
        }
        thread::sleep(PAUSE);
    }
    false
}

/// The ports at which not all packets that are counted in the first place come to the second.
fn stopped(rules: &Rules, ports: &[Called], [from, to]: [(char, &str); 2]) -> Vec<Called> {
    let now = |ports: &[Called]| -> Vec<Called> {
        let listing = rules.nft.read(&rules.container).unwrap_or_default();
        let seen = |it: &Called, (letter, chain)| counted(&listing, &it.tag(letter), Some(chain));
        let lost = ports.iter().copied();
        lost.filter(|it| seen(it, from) > seen(it, to)).collect()
    };
    let stopped = now(ports);
    if stopped.is_empty() {
        return stopped;
    }
    // Some may have been on their way.
    thread::sleep(PAUSE);
    now(&stopped)
}
