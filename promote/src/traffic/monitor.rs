//! The host port as a client sees it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use step::health::poll::{await_health, probe_once};
use step::health::target::Target;
use step::health::{Probed, RetryPolicy, Unhealthy};
use step::terminal::warn;
use step::time::millis;

use crate::report::Seen;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs until asked for its result.
pub(crate) struct Monitor {
    /// Dropped, it ends.
    wanted: Option<Sender<()>>,
    thread: Option<JoinHandle<Seen>>,
}

impl Monitor {
    pub(crate) fn start(target: Option<Target>) -> Self {
        let (wanted, ended) = channel();
        let start = |target: Target| thread::Builder::new().spawn(move || watch(&target, &ended));
        let thread = target.map(start).transpose();
        Self {
            wanted: Some(wanted),
            thread: thread.unwrap_or_else(|error| {
                warn(&format!(
                    "promote: what clients of the port see is not watched: {error}"
                ));
                None
            }),
        }
    }

    pub(crate) fn finish(&mut self) -> Seen {
        self.wanted = None;
        let watched = self.thread.take().and_then(|thread| thread.join().ok());
        watched.unwrap_or_default()
    }
}

fn watch(target: &Target, ended: &Receiver<()>) -> Seen {
    let mut seen = Seen::default();
    let mut last_good = Instant::now();
    loop {
        seen.probes += 1;
        let good = probe_once(target).is_ok();
        if !good {
            seen.failed += 1;
        }
        seen.longest_gap_ms = seen.longest_gap_ms.max(millis(last_good.elapsed()));
        if good {
            last_good = Instant::now();
        }
        if ended.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return seen;
        }
    }
}

/// Asks through the host port until the answer is healthy.
///
/// # Errors
/// What was seen instead, when the time is over.
pub(crate) fn answers(target: &Target, within: Duration) -> Result<(), Probed> {
    match await_health(None, target, &RetryPolicy::of(within)) {
        Err(Unhealthy::NotInTime(proof)) => Err(proof),
        _ => Ok(()),
    }
}
