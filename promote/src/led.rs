//! Connections that were led to another container than the one they called: idle ones end before the rules that lead them.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use step::{seen, waiting, warn};

use crate::ruleset::Move;
use crate::sockets::end_idle;

/// Whether packets within a bridge pass the rules for packets through this host: then the kernel goes on leading
/// such connections without our rules (br_netfilter).
const FILTERED: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";
/// The ports from which this host chooses its own (ip-sysctl in the kernel's documentation).
const LOCAL_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Fewer would be used up by busy callers.
const ENOUGH: usize = 4096;
/// How long requests in flight are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// From where such connections come, as the container sees them, where no other connection comes from there.
pub(crate) fn ports() -> Option<RangeInclusive<u16>> {
    beside(&fs::read_to_string(LOCAL_PORTS).ok()?)
}

fn beside(local: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = local.trim().split_once(char::is_whitespace)?;
    let (first, last): (u16, u16) = (first.parse().ok()?, last.trim().parse().ok()?);
    let gaps = [
        1024..=first.saturating_sub(1),
        last.saturating_add(1)..=u16::MAX,
    ];
    gaps.into_iter().find(|gap| gap.len() >= ENOUGH)
}

/// Ends those that these moves have led, once they are idle: their packets would be lost without the rules, and who
/// calls would wait for an answer instead of calling anew.
pub(crate) fn end(moves: &[Move]) {
    let is_filtered = fs::read_to_string(FILTERED).is_ok_and(|is| is.trim() == "1");
    if let Some(ports) = ports().filter(|_| !is_filtered) {
        moves.iter().for_each(|one| end_all(one, &ports));
    }
}

fn end_all(one: &Move, ports: &RangeInclusive<u16>) {
    let (net, ports) = (masked(one.to, one.prefix), ports.clone());
    let prefix = one.prefix;
    let is_led = move |ip: IpAddr, port| ports.contains(&port) && masked(ip, prefix) == net;
    let end = Instant::now() + PATIENCE;
    let _wait = waiting("promote: connections that were led to the new container end");
    loop {
        match end_idle(one.into, is_led.clone()) {
            Ok(0) => return,
            Ok(busy) if Instant::now() < end => seen(&format!("{busy} of them are in use")),
            Ok(busy) => {
                let to = one.to;
                warn(&format!(
                    "promote: {busy} connections that were led to {to} are still in use"
                ));
                return;
            }
            // They ended with it.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => {
                let from = one.from;
                warn(&format!(
                    "promote: connections that were opened to {from} meanwhile cannot be ended ({error}), and may hang"
                ));
                return;
            }
        }
        thread::sleep(PAUSE);
    }
}

fn masked(ip: IpAddr, prefix: u8) -> Option<u32> {
    let IpAddr::V4(ip) = ip else {
        return None;
    };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into()));
    Some(u32::from(ip) & mask.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_ports_are_those_that_the_host_does_not_choose_from() {
        assert_eq!(beside("32768\t60999\n"), Some(1024..=32767));
        assert_eq!(beside("1024\t50000\n"), Some(50001..=65535));
        for none in ["1024\t65535\n", "2000\t64000\n", "", "a b"] {
            assert_eq!(beside(none), None, "{none}");
        }
    }

    #[test]
    fn an_address_is_in_the_network_or_not() {
        let of = |ip: [u8; 4], prefix| masked(Ipv4Addr::from(ip).into(), prefix);
        assert_eq!(of([172, 18, 0, 1], 16), of([172, 18, 3, 9], 16));
        assert_ne!(of([172, 18, 0, 1], 16), of([172, 19, 0, 1], 16));
        assert_eq!(of([172, 18, 0, 1], 0), Some(0));
    }
}
