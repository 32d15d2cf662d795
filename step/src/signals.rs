//! Interrupts: SIGINT and SIGTERM become a flag that steps look at, SIGHUP is ignored.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static DEFERRED: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Starts catching signals; a lost ssh session (SIGHUP) no longer ends the step.
///
/// # Errors
/// When the system refuses a handler.
pub fn catch_signals() -> std::io::Result<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    signal_hook::flag::register(SIGINT, Arc::clone(flag))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(flag))?;
    signal_hook::flag::register(SIGHUP, Arc::default())?;
    Ok(())
}

/// Has no signal that can be caught end this process before its work is done.
///
/// # Errors
/// When the system refuses a handler.
pub fn ignore_signals() -> std::io::Result<()> {
    [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .try_for_each(|signal| signal_hook::flag::register(signal, Arc::default()).map(drop))
}

/// Whether SIGINT or SIGTERM has arrived since the step began; never after [`defer_interrupts`].
pub fn interrupted() -> bool {
    let arrived = INTERRUPTED
        .get()
        .is_some_and(|flag| flag.load(Ordering::Relaxed));
    arrived && !DEFERRED.load(Ordering::Relaxed)
}

/// From here on the work is finished or undone first, whatever signal arrives.
pub fn defer_interrupts() {
    DEFERRED.store(true, Ordering::Relaxed);
}
