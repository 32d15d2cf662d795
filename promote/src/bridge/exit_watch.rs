//! A process that is watched for its end. A bridge lives only as long as the candidate: its address may soon be another container's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How often a watch looks whether it is still wanted.
const WANTED_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

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

    /// Whether it has ended; waits a moment before it says no.
    pub(crate) fn has_ended(&self) -> bool {
        let mut ends = [PollFd::new(&self.pidfd, PollFlags::IN)];
        matches!(poll(&mut ends, Some(&WANTED_EVERY)), Ok(1..))
    }
}

/// Watches until dropped.
#[derive(Debug)]
pub(crate) struct ExitWatch {
    wanted: Arc<AtomicBool>,
}

impl ExitWatch {
    /// Calls `then` when the process ends.
    pub(crate) fn start(process: Process, then: impl FnOnce() + Send + 'static) -> Self {
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

impl Drop for ExitWatch {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
    }
}
