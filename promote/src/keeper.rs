//! The bridge lives only as long as the candidate does, whose address may soon be another container's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use step::{Name, Nft};

use crate::listing::forwarders;
use crate::ruleset;

/// How often a watch looks whether it is still wanted.
const WANTED_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// A process that may end at any time. The kernel tells when, even while the engine is down.
#[derive(Debug)]
pub(crate) struct Mortal {
    process: OwnedFd,
}

impl Mortal {
    /// The process `pid`, as the engine names a container's.
    ///
    /// # Errors
    /// Where there is none, as seen from here.
    pub(crate) fn find(pid: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { process })
    }

    /// Whether it has ended; waits a moment before it says no.
    pub(crate) fn has_ended(&self) -> bool {
        let mut ends = [PollFd::new(&self.process, PollFlags::IN)];
        matches!(poll(&mut ends, Some(&WANTED_EVERY)), Ok(1..))
    }
}

/// Watches until dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    wanted: Arc<AtomicBool>,
}

impl Watch {
    /// Calls `then` when the process ends.
    pub(crate) fn start(process: Mortal, then: impl FnOnce() + Send + 'static) -> Self {
        let wanted = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&wanted);
        thread::spawn(move || {
            while still.load(Ordering::Relaxed) {
                if process.has_ended() {
                    if still.load(Ordering::Relaxed) {
                        then();
                    }
                    return;
                }
            }
        });
        Self { wanted }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
    }
}

/// Has the container's rules lead nobody on, if they are those of the forwarder on `port`.
pub(crate) fn close_own_rules(container: &Name, port: u16) {
    if let Some(nft) = with_own_rules(container, port) {
        let _ = nft.apply(&ruleset::close(container));
    }
}

/// Removes the container's rules, if they are those of the forwarder on `port`.
pub(crate) fn remove_own_rules(container: &Name, port: u16) {
    if let Some(nft) = with_own_rules(container, port) {
        // Nobody is there to be told; the next promotion finds what is left.
        let _ = nft.remove(container);
    }
}

/// Those of a later promotion are another forwarder's.
fn with_own_rules(container: &Name, port: u16) -> Option<Nft> {
    let nft = Nft::without_engine().ok()?;
    let rules = nft.read(container)?;
    forwarders(&rules).contains(&port).then_some(nft)
}
