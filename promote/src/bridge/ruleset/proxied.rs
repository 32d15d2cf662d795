//! The rules for those whom the engine's proxy serves, of one port.

use super::words::{OPENING, Words, families};
use crate::bridge::listing::{FORMER, Former};
use crate::bridge::plan::Plan;
use crate::bridge::redirect::PortRedirect;
use crate::bridge::served::Client;

/// On connections of containers that were opened to the forwarder at this port: a bit of 128 (`connlabel.conf`), of the
/// last 64. Those of a forwarder before it are told apart by theirs.
pub(crate) fn label(forwarder: u16) -> u16 {
    64 + forwarder % 64
}

/// The forwarder has what the engine does not translate: also link-local senders, and everybody once the live container
/// is down.
pub(super) fn proxied(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let rule = |(words, mut matches): (Words<'_>, String)| {
        match (words.by(Client::Loopback), words.by(Client::Others)) {
            (None, None) => return None,
            (Some(_), None) => matches = format!("{matches} {}", words.is_called_on_loopback()),
            (_, Some(_)) => {}
        }
        let shuts_out = words.by(Client::Containers).is_none() && !words.has_proxy();
        if it.for_containers.is_some() || shuts_out {
            let beside = words.beside_bridges().unwrap_or_default();
            matches = format!("{beside} {matches}");
        }
        let matches = format!("{matches} {}", words.led_here());
        let (ip, near, port) = (words.ip(), words.loopback(), it.forwarder);
        Some(words.counted(
            'P',
            &matches,
            &format!("tproxy {ip} to {near}:{port} accept"),
        ))
    };
    families(plan, it).filter_map(rule).collect()
}

/// The forwarder is nobody's but the rules'.
pub(super) fn input(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let mut rules = guards(it, &format!(" comment \"{}\"", plan.served));
    let spoken = it.door.protocol.word();
    let strange = format!("ct status & dnat != dnat drop comment \"{FORMER}\"");
    let before = plan.before.at(&it.door);
    rules.extend(before.map(|old| format!("{spoken} dport {} {strange}", old.forwarder)));
    rules
}

/// The same, with a comment. What goes on to the forwarder of containers does so behind it.
pub(super) fn guards(it: &PortRedirect, comment: &str) -> Vec<String> {
    let (port, spoken) = (it.forwarder, it.door.protocol.word());
    let own = format!("{spoken} dport {port} ct status & dnat != dnat drop{comment}");
    let untracked = format!("{spoken} dport {port} ct state untracked drop");
    let theirs = it.for_containers.filter(|theirs| *theirs != port);
    let theirs = theirs.map(|port| format!("{spoken} dport {port} drop{comment}"));
    let all = [Some(own), Some(untracked), theirs];
    all.into_iter().flatten().collect()
}

/// What comes by a bridge, behind all rules for what comes in: it goes on to the forwarder's port, if anybody listens
/// there, and back to its own if not. The kernel remembers which connections were opened so.
pub(super) fn containers(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let Some(port) = it.for_containers else {
        return Vec::new();
    };
    let rules = |(words, theirs): (Words<'_>, String)| {
        let led = format!("{} tcp dport {port} {OPENING}", words.family());
        let heard = format!("{led} socket transparent {{ 0, 1 }}");
        let keep = format!("ct label set {} accept", label(port));
        [
            format!("{theirs} tcp dport set {port}"),
            words.counted(Client::Containers.letter(), &heard, &keep),
            format!("{led} tcp dport set {}", it.door.port),
        ]
    };
    by_bridges(plan, it).flat_map(rules).collect()
}

/// What containers call, and whoever else comes by a bridge, where the engine leaves them to its proxy. One container's call
/// does not tell for those of other networks: a firewall may tell them apart, and goes on to do so before these rules.
pub(super) fn by_bridges<'a>(
    plan: &'a Plan,
    it: &'a PortRedirect,
) -> impl Iterator<Item = (Words<'a>, String)> {
    families(plan, it).filter_map(|(words, calling)| {
        let them = words.off_proxied_bridges()?;
        Some((words, format!("{them} {calling} {}", words.led_here())))
    })
}

/// What follows on such a connection. Those from before stay where they are.
pub(super) fn relabel(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    all(plan, it).iter().map(on).collect()
}

/// Answers to them, before any other rule: they come from the port that was called.
pub(super) fn answers(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    all(plan, it).iter().map(back).collect()
}

/// The forwarder of this port, and those before it.
fn all(plan: &Plan, it: &PortRedirect) -> Vec<Former> {
    let called = it.door.port;
    let now = it
        .for_containers
        .map(|forwarder| Former { forwarder, called });
    now.into_iter().chain(plan.before.at(&it.door)).collect()
}

/// A rule for what comes after the first packet.
pub(super) fn on(it: &Former) -> String {
    let Former { forwarder, called } = it;
    format!(
        "tcp dport {called} ct label {} tcp dport set {forwarder}",
        label(*forwarder)
    )
}

/// A rule for what is answered.
pub(super) fn back(it: &Former) -> String {
    let Former { forwarder, called } = it;
    format!("tcp sport {forwarder} tcp sport set {called}")
}
