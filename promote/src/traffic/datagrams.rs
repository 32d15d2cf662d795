//! Waiting until a container has answered what came to it by UDP.
//!
//! Nobody says of a datagram whether it will be answered. The kernel tells how much of what came in nobody has read, and
//! how many were sent. A container that has read all, and has been still for a moment, has answered what it was asked.
//! One that sends by itself is never still, so the wait is short. What a proxy or a forwarder on this host has not read yet
//! counts, too.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;

/// A container that sends nothing for so long has answered. The number was not measured.
const STILL: Duration = Duration::from_millis(100);
const AT_MOST: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until the container has answered all, also what came by these ports of the host; at most `limit`. It does not wait
/// where the kernel does not tell.
pub(crate) fn await_answers(container: &Container, carriers: &[u16], limit: Duration) {
    let pid = container.state.pid;
    let end = Instant::now() + limit.min(AT_MOST);
    let (mut before, mut since) = (None, Instant::now());
    while container.state.up() && Instant::now() < end {
        let Some(now) = Seen::of(pid) else {
            return;
        };
        let unread = now.unread + unread_here(carriers);
        if unread > 0 || before != Some(now.sent) {
            (before, since) = (Some(now.sent), Instant::now());
        }
        if since.elapsed() >= STILL {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// What the kernel tells of the network of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// Bytes that came in, and that nobody has read.
    unread: u64,
    /// Datagrams that were sent, since the network was made.
    sent: u64,
}

impl Seen {
    fn of(pid: i32) -> Option<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}"));
        let v4 = read("udp").ok()?;
        // There is none on a host without IPv6.
        let v6 = read("udp6").unwrap_or_default();
        let sent_v6 = read("snmp6").ok().and_then(|it| sent_v6(&it));
        Some(Self {
            unread: unread(&v4, |_| true) + unread(&v6, |_| true),
            sent: sent_v4(&read("snmp").ok()?)? + sent_v6.unwrap_or_default(),
        })
    }
}

/// Of the sockets on these ports of this host.
fn unread_here(ports: &[u16]) -> u64 {
    let of = |path| fs::read_to_string(path).unwrap_or_default();
    let both = ["/proc/net/udp", "/proc/net/udp6"].map(of);
    let of = |sockets: &String| unread(sockets, |port| ports.contains(&port));
    both.iter().map(of).sum()
}

/// Of the sockets on ports that are meant: the second word is `ADDRESS:PORT`, and the fifth is `TX:RX`, in hexadecimal
/// (Linux, net/ipv4/udp.c).
fn unread(sockets: &str, is_meant: impl Fn(u16) -> bool) -> u64 {
    let of = |line: &str| {
        let mut words = line.split_whitespace();
        let (_, port) = words.nth(1)?.split_once(':')?;
        let (_, unread) = words.nth(2)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let unread = u64::from_str_radix(unread, 16).ok();
        unread.filter(|_| is_meant(port))
    };
    sockets.lines().skip(1).filter_map(of).sum()
}

/// From a line of names, `Udp: InDatagrams …`, and one of their values (Linux, net/ipv4/proc.c).
fn sent_v4(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut all = names.split_whitespace().zip(values.split_whitespace());
    let (_, sent) = all.find(|(name, _)| *name == "OutDatagrams")?;
    sent.parse().ok()
}

/// A name and its value on each line (Linux, net/ipv6/proc.c).
fn sent_v6(snmp6: &str) -> Option<u64> {
    let mut lines = snmp6.lines();
    let sent = lines.find_map(|line| line.strip_prefix("Udp6OutDatagrams"))?;
    sent.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_read_and_what_was_sent_is_read_as_the_kernel_writes_it() {
        let sockets = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n\
            43: 00000000:14E9 00000000:0000 07 00000000:00000300 00:00000000 00000000\n\
            44: 00000000:14EA 00000000:0000 07 00000000:00000010 00:00000000 00000000\n";
        assert_eq!(unread(sockets, |_| true), 0x310);
        assert_eq!(unread(sockets, |port| port == 5354), 0x10);
        let snmp = "Tcp: A\nTcp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams\nUdp: 7 1 0 9\n";
        assert_eq!(sent_v4(snmp), Some(9));
        assert_eq!(
            sent_v6("Udp6InDatagrams \t3\nUdp6OutDatagrams     \t4\n"),
            Some(4)
        );
        assert!(Seen::of(std::process::id().cast_signed()).is_some());
    }
}
