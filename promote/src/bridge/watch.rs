//! What may happen under an open bridge at any time: the candidate ends, or somebody changes packet rules.
//!
//! A bridge lives only as long as the candidate: its address may soon be another container's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use step::engine::container::Container;

use super::error::NoBridge;
use super::netlink::{kind, messages};

/// How often a watch looks whether it is still wanted.
const WANTED_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// Who hears of every change of nft's rules (`NFNLGRP_NFTABLES`, include/uapi/linux/netfilter/nfnetlink.h).
const RULES: u32 = 7;

/// A process that may end at any time. The kernel tells when, even while the engine is down.
#[derive(Debug)]
pub(crate) struct Process {
    pidfd: OwnedFd,
}

impl Process {
    /// The process `pid`, as the engine names a container's.
    ///
    /// # Errors
    /// Where there is none, as seen from here.
    pub(crate) fn find(pid: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pidfd })
    }
}

impl AsFd for Process {
    /// Readable once it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// What is to be done when something happens.
pub(super) trait Keeper: Send + 'static {
    /// The process has ended; nothing else is called after it.
    fn ended(&self);
    /// Somebody has changed packet rules.
    fn rules_changed(&self) {}
    /// Some time has gone by, and nothing is otherwise.
    fn goes_on(&self) {}
}

/// Watches until dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    wanted: Arc<AtomicBool>,
}

impl Watch {
    /// Tells `keeper` when the container ends, and when something of the table goes.
    pub(super) fn over(
        container: &Container,
        table: String,
        keeper: impl Keeper,
    ) -> Result<Self, NoBridge> {
        let name = || container.name().to_owned();
        let unseen = |error| NoBridge::Unseen {
            name: name(),
            error,
        };
        let unwatched = |error| NoBridge::Unwatched {
            name: name(),
            error,
        };
        let process = Process::find(container.state.pid).map_err(unseen)?;
        Self::start(process, table, keeper).map_err(unwatched)
    }

    fn start(process: Process, table: String, keeper: impl Keeper) -> io::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&wanted);
        // Without the right to hear of them a change stays as it is.
        let changes = changes().ok();
        let watch = move || {
            while still.load(Ordering::Relaxed) {
                let (has_ended, is_told) = wait(&process, changes.as_ref());
                let have_changed =
                    is_told && changes.as_ref().is_some_and(|it| is_about(it, &table));
                if !still.load(Ordering::Relaxed) {
                    return;
                }
                if has_ended {
                    return keeper.ended();
                }
                if have_changed {
                    keeper.rules_changed();
                }
                keeper.goes_on();
            }
        };
        thread::Builder::new().spawn(watch)?;
        Ok(Self { wanted })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
    }
}

/// Every change of packet rules in this network.
fn changes() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind(&SocketAddr::new(0, 0))?;
    socket.add_membership(RULES)?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

/// Whether the process has ended, and whether anybody has changed rules; waits a moment for either.
fn wait(process: &Process, changes: Option<&Socket>) -> (bool, bool) {
    let mut all = vec![PollFd::new(process, PollFlags::IN)];
    all.extend(changes.map(|socket| PollFd::new(socket, PollFlags::IN)));
    if poll(&mut all, Some(&WANTED_EVERY)).is_err() {
        return (false, false);
    }
    let mut happened = all.iter().map(|it| !it.revents().is_empty());
    (
        happened.next().unwrap_or_default(),
        happened.next().unwrap_or_default(),
    )
}

/// Whether what has changed is that something of the table is gone. Engines change rules of their own all the time.
fn is_about(changes: &Socket, table: &str) -> bool {
    let mut is_gone = false;
    loop {
        match changes.recv_from_full() {
            Ok((bytes, _)) => is_gone |= messages(&bytes).any(|it| is_loss(it, table)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return is_gone,
            // More than the socket can hold: it may have been among them.
            Err(_) => is_gone = true,
        }
    }
}

/// Its kind is in the fifth byte: a table, a chain or a rule that is gone (enum nf_tables_msg_types,
/// include/uapi/linux/netfilter/nf_tables.h).
fn is_loss(message: &[u8], table: &str) -> bool {
    const GONE: [u16; 3] = [2, 5, 8];
    let is_gone = kind(message).is_some_and(|kind| GONE.contains(&(kind & 0xff)));
    let name = [table.as_bytes(), b"\0"].concat();
    is_gone && message.windows(name.len()).any(|it| it == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, text: &str) -> Vec<u8> {
        let length = u32::try_from(16 + text.len()).unwrap();
        let mut bytes = [
            &length.to_ne_bytes()[..],
            &kind.to_ne_bytes(),
            &[0; 10],
            text.as_bytes(),
        ]
        .concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn only_what_is_gone_of_the_own_table_is_a_loss() {
        let table = "deploy-steps-web";
        for (kind, text, is_gone) in [
            (0x0a02, "deploy-steps-web\0", true),
            (0x0a08, "deploy-steps-web\0", true),
            (0x0a00, "deploy-steps-web\0", false),
            (0x0a02, "deploy-steps-web-2\0", false),
            (0x0a02, "nat\0", false),
        ] {
            let bytes = [message(0x0a06, "filter\0"), message(kind, text)].concat();
            assert_eq!(
                messages(&bytes).any(|it| is_loss(it, table)),
                is_gone,
                "{kind:x} {text}"
            );
        }
    }
}
