//! The rules for ports on which UDP is spoken: from one moment on all datagrams go to the candidate.
//!
//! The kernel translates a flow of datagrams the way it began, for as long as it lasts (conntrack). A client that always
//! asks from one port would stay with the old container. Then it would be with nobody: an engine takes some 100 ms from
//! the end of a process to the end of its flows. Ending the flows in the kernel's list loses answers on their way.
//!
//! So the kernel tracks what comes in in another zone from that moment on (`ct zone`). There each flow is new, and is
//! translated to the candidate. The old container's last answers belong to the flows of before. Without these rules all
//! goes to whoever has the port. The candidate's last answers belong to the flows of the zone.
//!
//! Docker 23 and later end all flows of a UDP port, in every zone, when a container with that port starts. An answer on its
//! way has no flow then, and begins one. It gets the port that was called, and the address by which it leaves.

use std::iter;

use step::host::nft::Nft;

use super::proxied::by_bridges;
use super::tables::{ANSWERS, Rules, chain};
use super::translated::{by_proxy, mark};
use super::words::{Words, families};
use super::{proxied, translated};
use crate::bridge::listing::Former;
use crate::bridge::plan::Plan;
use crate::bridge::redirect::PortRedirect;
use crate::bridge::served::{By, Client};

/// The chains that put what comes in into the zone, before the kernel tracks it. A closed bridge leaves them empty.
pub(super) const TRACKED: [&str; 2] = ["tracked_in", "tracked_out"];
/// All chains that are for datagrams alone, and empty until they are led.
const LED: [(&str, &str, Rules); 6] = [
    (
        TRACKED[0],
        "filter hook prerouting priority raw",
        from_elsewhere,
    ),
    (TRACKED[1], "filter hook output priority raw", from_here),
    (
        "of_candidate",
        "filter hook prerouting priority raw",
        with_others,
    ),
    (
        "to_candidate",
        "filter hook output priority raw",
        from_this_host,
    ),
    (
        "flowless",
        "nat hook postrouting priority srcnat - 10",
        flowless,
    ),
    (
        "flowless_here",
        "nat hook input priority 100",
        flowless_here,
    ),
];

/// What stands from the beginning: nobody is led by it.
pub(super) fn chains(plan: &Plan) -> String {
    let empty = LED.map(|(name, hook, _)| chain(name, hook, iter::empty()));
    let replies = plan.datagrams.iter().flat_map(|it| replies(plan, it));
    empty.concat() + &chain("replies", ANSWERS, replies)
}

/// Beside what stands: from now on all datagrams go to the candidate.
pub(crate) fn lead(plan: &Plan) -> String {
    let table = Nft::table(&plan.container);
    let own = LED.map(|(name, _, rules)| (name, rules));
    let shared: [(&str, Rules); 4] = [
        ("prerouting", translated::prerouting),
        ("output", translated::output),
        ("proxied", proxied::proxied),
        ("containers", containers),
    ];
    let add = |(name, rules): (&str, Rules)| {
        let all = plan.datagrams.iter().flat_map(|it| rules(plan, it));
        all.map(|rule| format!("add rule inet {table} {name} {rule}\n"))
            .collect::<String>()
    };
    own.into_iter().chain(shared).map(add).collect()
}

/// The engine translates these as they come in. It leaves some containers to its proxy.
fn from_elsewhere(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let rules = |(words, calling): (Words<'_>, String)| {
        let theirs = by_proxy(words, &calling).into_iter();
        theirs.chain(beside_loopback(words, &calling))
    };
    families(plan, it).flat_map(rules).collect()
}

/// What it translates of this host's own.
fn from_here(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let mut rules = Vec::new();
    for (words, calling) in families(plan, it) {
        if words.by(Client::Loopback) == Some(By::Kernel) {
            let called = words.is_called_on_loopback();
            rules.push(format!(
                "{calling} {called} ct original zone set {}",
                plan.zone
            ));
        }
        rules.extend(beside_loopback(words, &calling));
    }
    rules
}

fn beside_loopback(words: Words<'_>, calling: &str) -> Option<String> {
    answer(words)?;
    let (others, zone) = (words.is_called_beside_loopback(), words.plan.zone);
    Some(format!("{calling} {others} ct zone set {zone}"))
}

/// Comes from the candidate, where others are translated to it.
fn answer(words: Words<'_>) -> Option<String> {
    let (from, ip) = (words.candidate()?, words.ip());
    let is_led = words.by(Client::Others) == Some(By::Kernel);
    is_led.then(|| format!("{ip} saddr {} udp sport {}", from.ip(), from.port()))
}

/// Marks what comes from the candidate's own port of its bridge.
pub(super) fn bound(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let mark = mark(&plan.container);
    let rule = |(words, _): (Words<'_>, _)| {
        let (veth, answer) = (words.veth()?, answer(words)?);
        Some(format!("iifname \"{veth}\" {answer} meta mark set {mark}"))
    };
    families(plan, it).filter_map(rule).collect()
}

/// The candidate's answers are in the zone as well. Other containers' questions that nothing translates are there, too.
fn with_others(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let zone = format!("ct zone set {}", plan.zone);
    let mark = mark(&plan.container);
    let rule = |(words, _): (Words<'_>, _)| {
        let (answer, question) = (answer(words)?, question(words)?);
        let answered = match words.veth() {
            Some(_) => format!("meta mark {mark} {answer} {zone} meta mark set 0"),
            None => format!("{answer} {zone}"),
        };
        Some([answered, format!("{question} {zone}")])
    };
    families(plan, it).filter_map(rule).flatten().collect()
}

/// This host asks it without any translation, as the forwarder does.
fn from_this_host(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let rule = |(words, _)| Some(format!("{} ct zone set {}", question(words)?, plan.zone));
    families(plan, it).filter_map(rule).collect()
}

fn question(words: Words<'_>) -> Option<String> {
    let (to, ip) = (words.candidate()?, words.ip());
    Some(format!("{ip} daddr {} udp dport {}", to.ip(), to.port()))
}

/// An answer to another host whose flow the engine has ended.
fn flowless(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let (bridge, called, zone) = (&plan.interface.name, it.door.port, plan.zone);
    let rule = |(words, _)| {
        let leaves = format!("{} ct zone {zone} oifname != \"{bridge}\"", answer(words)?);
        Some(format!("{leaves} masquerade to :{called}"))
    };
    families(plan, it).filter_map(rule).collect()
}

/// An answer to this host itself, which has called from the address that it called.
fn flowless_here(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let (called, zone) = (it.door.port, plan.zone);
    let rule = |(words, _): (Words<'_>, String)| {
        let (ip, answer) = (words.ip(), answer(words)?);
        Some(format!(
            "{answer} ct zone {zone} snat {ip} to {ip} daddr:{called}"
        ))
    };
    families(plan, it).filter_map(rule).collect()
}

/// The kernel would lose these datagrams of containers. Behind all rules they go on to the forwarder's port, if anybody
/// listens there, and back to their own if not. The kernel cannot look there for a flow that began with an answer.
fn containers(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    if it.for_containers.is_none() {
        return Vec::new();
    }
    let port = it.forwarder;
    let rules = |(words, theirs): (Words<'_>, String)| {
        let led = format!("{} udp dport {port}", words.family());
        let heard = format!("{led} socket transparent {{ 0, 1 }}");
        [
            format!("{theirs} udp dport set {port}"),
            words.counted(Client::Containers.letter(), &heard, "accept"),
            format!("{led} ct direction reply accept"),
            format!("{led} udp dport set {}", it.door.port),
        ]
    };
    by_bridges(plan, it).flat_map(rules).collect()
}

/// What a forwarder answers that a killed promotion has left.
pub(super) fn back(it: &Former) -> String {
    let Former { forwarder, called } = it;
    format!("udp sport {forwarder} udp sport set {called}")
}

/// A forwarder's answers come from the port that was called, before the kernel tracks them. It translates by itself what
/// it has redirected.
fn replies(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let called = it.door.port;
    let former = plan.before.at(&it.door).map(|old| old.forwarder);
    let from: Vec<u16> = former.chain([it.forwarder]).collect();
    let mut rules = Vec::new();
    for (words, _) in families(plan, it) {
        let is_redirected = words.by(Client::Loopback) == Some(By::Kernel);
        let beside = match is_redirected {
            true => words.is_called_beside_loopback(),
            false => words.family(),
        };
        let answer = |from| format!("udp sport {from} {beside} udp sport set {called}");
        rules.extend(from.iter().map(answer));
    }
    rules
}
