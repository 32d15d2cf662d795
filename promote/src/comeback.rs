//! An old container that podman restarts again and again: it looks ended in between, and comes back after a stop.

use std::thread;
use std::time::{Duration, Instant};

use step::{Condition, Container, waiting};

use crate::promote::Promotion;
use crate::swap::Swapping;
use crate::trouble::Trouble;

/// For how long it must stay down: podman restarts at once, by a process of its own.
const QUIET: Duration = Duration::from_secs(1);
/// At most this is waited for that.
const LONGEST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

impl Swapping<'_> {
    /// Stops it until it stays down, or it would have the port again, and packets led to it, beside the new one.
    pub(crate) fn keep_old_down(&mut self) -> Result<(), Trouble> {
        let Promotion {
            engine,
            args,
            names,
            ..
        } = self.promotion;
        let sick = self.old_was != Condition::Healthy;
        let Some(old) = self.old.as_ref().filter(|old| sick && comes_back(old)) else {
            return Ok(());
        };
        let _wait = waiting(format!("promote: {} must stay down", names.old));
        let (began, mut quiet) = (Instant::now(), Instant::now());
        // Podman 4 forgets a stop that comes between two restarts, and one without effect may be refused.
        let stop = || drop(engine.stop(&old.id, args.stop_timeout));
        let mut restarts = old.restart_count;
        stop();
        while quiet.elapsed() < QUIET && began.elapsed() < LONGEST {
            thread::sleep(PAUSE);
            let Some(now) = engine.container(&old.id)? else {
                return Ok(());
            };
            if now.state.running || now.restart_count != restarts {
                // A rollback starts it again: it was not down for good.
                self.old_was = Condition::Sick;
                stop();
                (restarts, quiet) = (now.restart_count, Instant::now());
            }
        }
        Ok(())
    }
}

/// Whether podman may be about to start it again by itself.
fn comes_back(old: &Container) -> bool {
    let ended = old.restart_count > 0 || !old.state.running;
    old.is_podmans() && ended && old.host_config.restart_policy.restarts()
}
