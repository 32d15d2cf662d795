//! What podman needs besides. A container that it restarts again and again looks ended in between, and comes back after
//! a stop.

use std::thread;
use std::time::{Duration, Instant};

use step::recipe::Condition;
use step::terminal::spinner::waiting;

use super::error::SwapError;
use super::{Old, Swap};
use crate::promotion::Promotion;

/// For how long it must stay down: podman restarts at once, by a process of its own.
const QUIET: Duration = Duration::from_secs(1);
/// At most this is waited for that.
const LONGEST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Stops the old one until it stays down, or it would have the port again, and packets for it, beside the new one.
pub(super) fn keep_old_down(swap: &mut Swap<'_>) -> Result<(), SwapError> {
    let Promotion {
        engine,
        args,
        names,
        ..
    } = swap.promotion;
    let Some(old) = swap.old.as_mut().filter(|old| comes_back(old)) else {
        return Ok(());
    };
    let id = &old.container.id;
    let _wait = waiting(format!("promote: {} must stay down", names.old));
    let (began, mut quiet) = (Instant::now(), Instant::now());
    // Podman 4 forgets a stop that comes between two restarts, and one without effect may be refused.
    let grace = args.grace(&old.container);
    let stop = || drop(engine.stop(id, grace));
    let mut restarts = old.container.restart_count;
    stop();
    while quiet.elapsed() < QUIET && began.elapsed() < LONGEST {
        thread::sleep(PAUSE);
        let Some(now) = engine.container(id)? else {
            return Ok(());
        };
        if now.state.running || now.restart_count != restarts {
            // A rollback starts it again: it was not down for good.
            old.was = Condition::Sick;
            stop();
            (restarts, quiet) = (now.restart_count, Instant::now());
        }
    }
    Ok(())
}

/// Whether podman may be about to start it again by itself.
fn comes_back(old: &Old) -> bool {
    let (sick, old) = (old.was != Condition::Healthy, &old.container);
    let ended = old.restart_count > 0 || !old.state.running;
    sick && old.is_podman() && ended && old.host_config.restart_policy.restarts()
}
