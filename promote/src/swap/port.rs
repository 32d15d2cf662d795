//! The published port moves: the old container is drained and stopped, then the final one starts and gets its name.

use std::time::Instant;

use step::engine::cli::Reply;
use step::engine::container::Container;
use step::join::both;
use step::ownership::marks::secrets_of;
use step::recipe::Condition;
use step::terminal::spinner::waiting;
use step::terminal::warn;

use super::cleanup::Then;
use super::error::SwapError;
use super::link::{Link, warn_of_gap};
use super::outcome::Outcome;
use super::{Swap, callers, cleanup, create, podman, published, rollback, verify};
use crate::args::BridgeMode;
use crate::bridge::Bridge;
use crate::bridge::error::NoBridge;
use crate::bridge::firewall::Passage;
use crate::failure::Failure;
use crate::preflight::ports;
use crate::promotion::Promotion;

/// Where a swap begins; a promotion that resumes another enters it later.
pub(crate) enum Stage {
    /// The old container is to get its name `-old`.
    Rename,
    /// The final container is to be made once more, if the candidate still is what was verified.
    Create,
    /// The final container runs already.
    Verify,
    /// The final container has the live name already.
    Port,
}

pub(crate) fn run(mut swap: Swap<'_>, from: Stage) -> Result<Outcome, Failure> {
    // What another promotion has left is ended at once.
    let may_keep = matches!(from, Stage::Rename);
    let swapped = match from {
        Stage::Rename => rename_old(&swap).and_then(|()| take_over(&mut swap)),
        Stage::Create => create_again(&mut swap).and_then(|()| take_over(&mut swap)),
        Stage::Verify => name_verified(&swap),
        Stage::Port => verify_again(&swap).and_then(|()| for_clients(&swap)),
    };
    match swapped.and_then(|()| cleanup::give_up_old(&mut swap, may_keep)) {
        Ok(()) => Ok(cleanup::finish(swap)),
        Err(error) => Err(rollback::run(swap, error)),
    }
}

pub(super) fn rename_old(swap: &Swap<'_>) -> Result<(), SwapError> {
    let Some(old) = &swap.old else {
        return Ok(());
    };
    let Promotion {
        engine,
        args,
        names,
        ..
    } = swap.promotion;
    let id = &old.container.id;
    let renamed = engine.rename(id, &names.old);
    if renamed.is_ok() || old.was == Condition::Healthy {
        return Ok(renamed?);
    }
    // The engine cannot rename a container between two of its restarts.
    engine.stop(id, args.grace(&old.container))?;
    Ok(engine.rename(id, &names.old)?)
}

fn create_again(swap: &mut Swap<'_>) -> Result<(), SwapError> {
    let promotion = swap.promotion;
    let up = |candidate: &&Container| candidate.state.up();
    let candidate = swap.candidate.as_ref().filter(up).ok_or_else(|| {
        let name = &promotion.names.candidate;
        SwapError::not_started(format!("{name} does not run any more"))
    })?;
    let made = create::verified(promotion, &swap.recipe, candidate, swap.old.as_ref());
    swap.next = Some(made.map_err(|failure| SwapError::not_started(failure.to_string()))?);
    Ok(())
}

fn take_over(swap: &mut Swap<'_>) -> Result<(), SwapError> {
    let Promotion {
        engine,
        args,
        names,
        ..
    } = swap.promotion;
    let old = swap.old.as_ref().map(|old| old.container.clone());
    if let Some(old) = old.filter(|old| old.state.running) {
        callers::redirect(swap, &old);
        swap.waits.drained = Some(swap.drain(&old));
        if unless_blocked(swap)? != Passage::Free {
            // It had new connections meanwhile.
            swap.waits.drained = Some(swap.drain(&old));
        }
        if swap.link.bridge().is_some_and(Bridge::is_lost) {
            return Err(SwapError::not_started(format!(
                "{} ended during the swap",
                names.candidate
            )));
        }
        lead_datagrams(swap, &old)?;
        let _wait = waiting(format!("promote: stopping {}", names.old));
        // An engine that gave no answer may stop it later, under whatever was begun instead.
        let stop = || engine.stop(&old.id, args.grace(&old));
        stop().or_else(|_| stop())?;
    }
    podman::keep_old_down(swap)?;
    let wait = waiting(format!("promote: starting {}", names.next));
    let next = swap.next_id()?;
    let reply = engine.start(next)?;
    drop(wait);
    if reply.code != Some(0) {
        return Err(not_started(swap, next, &reply));
    }
    name_verified(swap)
}

/// Datagrams go to the candidate. The old container answers what it has been asked by UDP before it ends.
fn lead_datagrams(swap: &Swap<'_>, old: &Container) -> Result<(), SwapError> {
    let leads = |bridge: &&Bridge| !bridge.datagram_ports().is_empty();
    let Some(bridge) = swap.link.bridge().filter(leads) else {
        return Ok(());
    };
    match bridge.lead_datagrams() {
        Ok(()) => swap.await_answers(old),
        Err(why) if swap.promotion.args.bridge == BridgeMode::Require => {
            return Err(SwapError::no_bridge(why.into()));
        }
        Err(why) => warn(&format!(
            "promote: the UDP ports are closed for a moment: {why}"
        )),
    }
    Ok(())
}

/// A bridge that a firewall has stopped for other hosts would be a gap for as long as the swap takes: `auto` has the
/// shorter one.
fn unless_blocked(swap: &mut Swap<'_>) -> Result<Passage, SwapError> {
    let passage = swap
        .link
        .bridge_mut()
        .map_or(Passage::Free, Bridge::passage);
    if passage != Passage::Blocked || swap.link.bridge().is_some_and(Bridge::is_lost) {
        return Ok(passage);
    }
    let why = NoBridge::Blocked;
    if swap.promotion.args.bridge == BridgeMode::Require {
        return Err(SwapError::no_bridge(why));
    }
    warn_of_gap(&why);
    let bridge = swap.link.take();
    if let Some(bridge) = &bridge {
        bridge.close()?;
    }
    cleanup::drain_candidate(swap, None, Then::RunsOn);
    drop(bridge);
    swap.link = Link::Off(Some(why));
    Ok(passage)
}

fn not_started(swap: &Swap<'_>, next: &str, reply: &Reply) -> SwapError {
    let engine = &swap.promotion.engine;
    if let Ok(Some(port)) = ports::taken(engine, &swap.recipe.publish, None) {
        return SwapError::port_taken(port);
    }
    let found = engine.container(next).ok().flatten();
    let secrets = found.as_ref().map(secrets_of).unwrap_or_default();
    let said = found.map(|found| found.state.error);
    let said = said.filter(|error| !error.is_empty());
    let said = said.as_deref().unwrap_or(&reply.stderr);
    let said = secrets.show(said, 300);
    let mut error = SwapError::not_started(format!("the final container did not start: {said}"));
    error.evidence.log = engine.log_tail(next, 20, &secrets);
    error
}

/// Verifies the final container on its own address; only then gives it the live name and verifies it for clients.
fn name_verified(swap: &Swap<'_>) -> Result<(), SwapError> {
    let Promotion { engine, names, .. } = swap.promotion;
    on_its_address(swap)?;
    callers::give_names(swap)?;
    let (next, policy) = (swap.next_id()?, swap.restart_policy());
    if swap.is_on_podman() {
        // Two changes of one container at once: the one would undo the other.
        policy.set(engine, next)?;
        engine.rename(next, &names.live)?;
        return for_clients(swap);
    }
    let (beside, further, live) = (engine.clone(), engine.clone(), names.live.as_str());
    let (verified, (renamed, restarts)) = both(
        || published::through_the_host(swap),
        move || {
            both(
                || beside.rename(next, live),
                move || policy.set(&further, next),
            )
        },
    );
    verified.and(renamed.and(restarts).map_err(SwapError::from))?;
    verify::settle(swap)
}

/// It is healthy on its own address, and all its ports are open there.
fn on_its_address(swap: &Swap<'_>) -> Result<(), SwapError> {
    let end = Instant::now() + swap.promotion.args.within;
    verify::on_its_address(swap)?;
    published::as_the_candidate(swap, end)
}

/// Healthy on its own address is not yet healthy for clients, nor for long.
fn for_clients(swap: &Swap<'_>) -> Result<(), SwapError> {
    published::through_the_host(swap)?;
    verify::settle(swap)
}

/// A kill may have come between its name and its restart policy.
fn verify_again(swap: &Swap<'_>) -> Result<(), SwapError> {
    on_its_address(swap)?;
    let engine = &swap.promotion.engine;
    Ok(swap.restart_policy().set(engine, swap.next_id()?)?)
}
