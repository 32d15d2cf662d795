//! What podman needs besides. A rename there does not move the name that clients call. A container that it restarts
//! again and again looks ended in between, and comes back after a stop.

use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;
use step::recipe::Condition;
use step::terminal::spinner::waiting;

use super::error::SwapError;
use super::{Old, Swap, verify};
use crate::bridge::redirect;
use crate::network;
use crate::promotion::Promotion;

/// Who has looked the name up just before it was taken away calls within a moment.
const LOOKED_UP: Duration = Duration::from_millis(20);
/// For how long it must stay down: podman restarts at once, by a process of its own.
const QUIET: Duration = Duration::from_secs(1);
/// At most this is waited for that.
const LONGEST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Before the old container is drained: its callers go to the candidate, which has the name as well.
pub(super) fn redirect_callers(swap: &mut Swap<'_>, old: &Container) {
    if !old.is_podman() {
        if swap.candidate_has_name() {
            thread::sleep(LOOKED_UP);
        }
        return;
    }
    let name = &swap.promotion.names.live;
    if let (Some(bridge), Some(candidate)) = (swap.link.bridge_mut(), &swap.candidate) {
        bridge.redirect_name(redirect::by_name(old, candidate, name));
    }
}

/// The verified container gets the name that callers know, and is verified once more.
pub(super) fn give_callers_name(swap: &Swap<'_>) -> Result<(), SwapError> {
    let Promotion { engine, names, .. } = swap.promotion;
    if !swap.is_on_podman() {
        return Ok(());
    }
    match engine.container(swap.next_id()?)? {
        Some(next) if network::give_name(engine, &next, &names.live)? => {
            verify::on_its_address(swap)
        }
        _ => Ok(()),
    }
}

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
    let stop = || drop(engine.stop(id, args.stop_timeout));
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
