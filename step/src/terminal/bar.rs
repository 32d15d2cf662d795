//! The living line on a terminal, where there is one, beside which others write.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;

/// The one that is shown now.
static SHOWN: Mutex<Option<Shown>> = Mutex::new(None);

pub(super) struct Shown {
    pub(super) what: String,
    pub(super) seen: String,
    pub(super) began: Instant,
    /// Hidden where nobody can watch it.
    pub(super) bar: ProgressBar,
}

/// Writes to stderr beside a living line.
pub(super) fn aside(write: impl FnOnce()) {
    let bar = shown().as_ref().map(|shown| shown.bar.clone());
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

pub(super) fn shown() -> MutexGuard<'static, Option<Shown>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shown {
    pub(super) fn line(&self, time: &str) -> String {
        let colon = if self.seen.is_empty() { "" } else { ": " };
        [&self.what, time, colon, &self.seen].concat()
    }
}
