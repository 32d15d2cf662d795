//! Signals during a pipeline: the running step gets them and decides, the pipeline then falls back.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The running step's process id, or 0.
static CHILD: AtomicU32 = AtomicU32::new(0);

/// From now on SIGINT and SIGTERM end the running step and not this program; SIGHUP ends neither.
pub(crate) fn forward_to_children() -> std::io::Result<()> {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    if INSTALLED.set(()).is_err() {
        return Ok(());
    }
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for signal in signals.forever().filter(|signal| *signal != SIGHUP) {
            let child = i32::try_from(CHILD.load(Ordering::Relaxed)).ok();
            let forwarded = if signal == SIGINT {
                Signal::INT
            } else {
                Signal::TERM
            };
            if let Some(child) = child.and_then(Pid::from_raw) {
                let _ = kill_process(child, forwarded);
            }
        }
    });
    Ok(())
}

/// A step that is running; forgotten when dropped.
pub(crate) struct Child;

impl Child {
    pub(crate) fn of(child: &std::process::Child) -> Self {
        CHILD.store(child.id(), Ordering::Relaxed);
        Self
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        CHILD.store(0, Ordering::Relaxed);
    }
}
