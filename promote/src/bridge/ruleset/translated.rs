//! The rules for those whom the engine translates, of one port.

use step::model::name::Name;

use super::words::{OPENING, Words, families};
use crate::bridge::listing::FORWARDED;
use crate::bridge::plan::Plan;
use crate::bridge::redirect::PortRedirect;
use crate::bridge::served::{By, Client};

/// On packets towards the candidate, from the last of this host's rules to its bridge. Datagrams from it have it from its
/// bridge to the first of this host's rules. Each app has its own, by the
/// FNV-1a hash of its container's name: rules that another app's killed promotion has left stop only what that one led.
pub(super) fn mark(container: &Name) -> String {
    let bytes = container.as_str().bytes();
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{:#010x}", hash | 1)
}

/// What comes in goes to the candidate, but for containers that the proxy serves.
pub(super) fn prerouting(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let rules = |(words, calling): (Words<'_>, String)| {
        let rule = to_candidate(words, &calling)?;
        Some(by_proxy(words, &calling).into_iter().chain([rule]))
    };
    families(plan, it).filter_map(rules).flatten().collect()
}

/// So does what starts on this host. A loopback sender cannot be answered from beyond it, and is redirected.
pub(super) fn output(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let mut rules = Vec::new();
    for (words, calling) in families(plan, it) {
        if words.by(Client::Loopback) == Some(By::Kernel) {
            let inner = format!("{calling} {}", words.is_called_on_loopback());
            let verdict = format!("redirect to :{}", it.forwarder);
            rules.push(words.counted(Client::Loopback.letter(), &inner, &verdict));
        }
        rules.extend(to_candidate(words, &calling));
    }
    rules
}

/// Leaves what containers call to the proxy, where the engine does not translate it.
pub(super) fn by_proxy(words: Words<'_>, calling: &str) -> Option<String> {
    let is_translated = words.by(Client::Containers) == Some(By::Kernel);
    let them = words.off_bridges().filter(|_| !is_translated)?;
    Some(format!("{them} {calling} return"))
}

fn to_candidate(words: Words<'_>, calling: &str) -> Option<String> {
    let to = words.candidate()?;
    let others = format!("{calling} {}", words.is_called_beside_loopback());
    let verdict = format!("dnat {} to {to}", words.ip());
    let rule = words.counted(Client::Others.letter(), &others, &verdict);
    (words.by(Client::Others) == Some(By::Kernel)).then_some(rule)
}

/// Counts what a firewall has let pass of it.
pub(super) fn forward(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let rule = |(words, _): (Words<'_>, String)| {
        let passed = format!("{} {OPENING}", words.is_translated()?);
        Some(words.counted(FORWARDED, &passed, ""))
    };
    families(plan, it).filter_map(rule).collect()
}

/// Answers to containers beside the candidate must come back this way.
pub(super) fn postrouting(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let (subnet, at) = (&plan.interface.subnet, it.door.v4);
    let (ip, port, spoken) = (at.ip(), at.port(), it.door.protocol.word());
    vec![format!(
        "ip saddr {subnet} ip daddr {ip} {spoken} dport {port} ct status dnat masquerade"
    )]
}

/// Marks what goes to the candidate.
pub(super) fn towards(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let mark = mark(&plan.container);
    let all = families(plan, it).filter(|(words, _)| words.veth().is_some());
    all.filter_map(|(words, _)| Some(format!("{} meta mark set {mark}", words.is_translated()?)))
        .collect()
}

/// Stops what is marked on its way to any other port of the bridge.
pub(super) fn bound(plan: &Plan, it: &PortRedirect) -> Vec<String> {
    let rule = |(words, _): (Words<'_>, String)| {
        let (veth, ip) = (words.veth()?, words.candidate()?.ip());
        let mark = mark(&plan.container);
        let is_marked = format!("meta mark {mark} {} daddr {ip}", words.ip());
        Some(format!("{is_marked} oifname != \"{veth}\" drop"))
    };
    families(plan, it).filter_map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_marks_its_own_packets() {
        let of = |name: &str| mark(&name.parse().unwrap());
        assert_eq!(of("web"), of("web"));
        assert_ne!(of("web"), of("web-next"));
        assert!(of("web").len() == 10 && of("web") != "0x00000000");
    }
}
