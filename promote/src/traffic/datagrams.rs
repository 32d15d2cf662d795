//! Waiting until a container has answered what came to it by UDP.
//!
//! Nobody says of a datagram whether it will be answered. The kernel tells how much of what came in nobody has read, and
//! how many were sent. A container that has read all, and has been still for a moment, has answered what it was asked.
//! One that sends by itself is never still, so the wait is short.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;

/// A container that sends nothing for so long has answered. The number was not measured.
const STILL: Duration = Duration::from_millis(50);
const AT_MOST: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until all is answered, at most `limit`; not where the kernel does not tell.
pub(crate) fn await_answers(container: &Container, limit: Duration) {
    let pid = container.state.pid;
    let end = Instant::now() + limit.min(AT_MOST);
    let (mut before, mut since) = (None, Instant::now());
    while container.state.up() && Instant::now() < end {
        let Some(now) = Seen::of(pid) else {
            return;
        };
        if now.unread > 0 || before != Some(now.sent) {
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
            unread: unread(&v4) + unread(&v6),
            sent: sent_v4(&read("snmp").ok()?)? + sent_v6.unwrap_or_default(),
        })
    }
}

/// Of all sockets: the fifth word is `TX:RX`, in hexadecimal (Linux, net/ipv4/udp.c).
fn unread(sockets: &str) -> u64 {
    let of = |line: &str| {
        let (_, unread) = line.split_whitespace().nth(4)?.split_once(':')?;
        u64::from_str_radix(unread, 16).ok()
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
        assert_eq!(unread(sockets), 0x310);
        let snmp = "Tcp: A\nTcp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams\nUdp: 7 1 0 9\n";
        assert_eq!(sent_v4(snmp), Some(9));
        assert_eq!(
            sent_v6("Udp6InDatagrams \t3\nUdp6OutDatagrams     \t4\n"),
            Some(4)
        );
        assert!(Seen::of(std::process::id().cast_signed()).is_some());
    }
}
