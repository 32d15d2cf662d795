//! Watching the host port throughout, as a client would: what did the swap cost?

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use step::{Target, look_once, millis};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// What clients saw of the swap, by promote's own requests through the host port.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Swap {
    /// `on` while new connections were led to the candidate, else `off`.
    pub(crate) bridge: &'static str,
    /// Why there was no bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bridge_off_because: Option<String>,
    /// Whether calls to the old container's address were led to the new one, where clients call the app by an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handed_over: Option<bool>,
    /// Why they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_handed_over_because: Option<String>,
    /// How many requests were sent, each over a new connection; 0 where nothing was watched, as behind a proxy.
    pub(crate) probes: u32,
    /// How many of them were not answered healthily.
    pub(crate) failed: u32,
    /// The longest time between two good answers, in milliseconds.
    pub(crate) longest_gap_ms: u64,
    /// How long the old container was given to finish requests in flight.
    pub(crate) drained_ms: u64,
    /// How long the candidate was given to finish what the bridge had led to it.
    pub(crate) candidate_drained_ms: u64,
    /// How the requests in flight were known: `tcp_info`, or `unknown` without the right to look.
    pub(crate) drained_by: &'static str,
}

/// Runs until asked for its result.
pub(crate) struct Watcher {
    /// Dropped, it ends.
    wanted: Option<Sender<()>>,
    thread: Option<JoinHandle<Swap>>,
}

impl Watcher {
    pub(crate) fn start(target: Option<Target>) -> Self {
        let (wanted, ended) = channel();
        let thread = target.map(|target| thread::spawn(move || watch(&target, &ended)));
        Self {
            wanted: Some(wanted),
            thread,
        }
    }

    pub(crate) fn finish(&mut self) -> Swap {
        self.wanted = None;
        let seen = self.thread.take().and_then(|thread| thread.join().ok());
        seen.unwrap_or_default()
    }
}

fn watch(target: &Target, ended: &Receiver<()>) -> Swap {
    let mut swap = Swap::default();
    let mut last_good = Instant::now();
    loop {
        swap.probes += 1;
        let good = look_once(target).is_ok();
        if !good {
            swap.failed += 1;
        }
        swap.longest_gap_ms = swap.longest_gap_ms.max(millis(last_good.elapsed()));
        if good {
            last_good = Instant::now();
        }
        if ended.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return swap;
        }
    }
}
