//! After the swap: the candidate finishes what was redirected to it, then it and the old container go.

use step::engine::container::Container;
use step::join::both;
use step::ownership::way_back::{Live, WayBack, replaced};
use step::terminal::{progress, warn};

use super::clear::{clear_away, volumes_of};
use super::error::SwapError;
use super::outcome::Outcome;
use super::{Swap, verify};
use crate::bridge::carried::Forwarders;
use crate::bridge::{Bridge, redirect};
use crate::log_file;
use crate::promotion::Promotion;

/// All that is left is to clear away.
pub(super) fn finish(mut swap: Swap<'_>) -> Outcome {
    // What is live has the values of the candidate.
    let live = swap.candidate.clone().or_else(|| swap.next_now().ok());
    let live = live.as_ref();
    let old = swap.old.as_ref().map(|old| &old.container);
    let previous = old
        .zip(live)
        .map(|(old, live)| replaced(&swap.recipe, old, &live.variables()));
    let volumes_left = old.map(volumes_of).unwrap_or_default();
    let back = previous.as_ref().zip(live);
    let way_back = back.map(|(it, live)| WayBack::to(it.recipe.as_ref(), &Live::container(live)));
    let left_over = end(&mut swap);
    let seen = swap.seen();
    progress(&format!(
        "promote: {} is live with {}",
        swap.promotion.names.live, swap.recipe.image
    ));
    Outcome {
        previous,
        way_back,
        volumes_left,
        log_kept: swap.old.as_ref().and_then(|old| old.log_kept),
        container_id: swap.next.unwrap_or_default(),
        recipe: swap.recipe,
        seen,
        watched: swap.sight.watched,
        left_over,
    }
}

/// Ends the bridge and clears away; tells what could not be removed.
fn end(swap: &mut Swap<'_>) -> Vec<String> {
    let mut bridge = swap.link.take();
    if swap.waits.kept.is_some() {
        // The heir ends it.
        bridge.into_iter().for_each(Bridge::leave_open);
        return clear_away(swap);
    }
    bridge.iter_mut().for_each(Bridge::unwatch);
    if has_no_callers(swap) {
        return both(|| clear_away(swap), move || drop(bridge)).0;
    }
    let left_over = clear_away(swap);
    // Until it is gone the candidate may still close redirected connections, and be looked up by name.
    drop(bridge);
    left_over
}

/// Drains the candidate, and removes the old container meanwhile.
///
/// An engine that was restarted meanwhile has started the old container as well, for its
/// policy, and it may have the port: then the new one must show once more that it serves.
/// With `may_keep` the candidate may stay for clients that are connected to it. Without, another promotion began this one.
pub(super) fn give_up_old(swap: &mut Swap<'_>, may_keep: bool) -> Result<(), SwapError> {
    let promotion = swap.promotion.clone();
    let old = swap.old.as_ref().map(|old| old.container.clone());
    let ((), (log_kept, removed)) = both(
        || {
            // A promotion that was killed may have had a bridge that this one has not.
            if swap.link.has_led() || swap.candidate_has_name() || !may_keep {
                let staying = swap.next.clone();
                let then = if may_keep { Then::MayStay } else { Then::Ends };
                drain_candidate(swap, staying.as_deref(), then);
            }
        },
        move || {
            let old = old.as_ref();
            let log_kept = old.and_then(|old| keep_log(&promotion, old));
            let removed = old.map_or(Ok(()), |old| promotion.engine.remove_ended(&old.id));
            (log_kept, removed)
        },
    );
    if let Some(old) = &mut swap.old {
        old.gone = removed.is_ok();
        old.log_kept = log_kept;
    }
    removed.or_else(|_| verify::on_its_address(swap))
}

/// Whether its log was kept, where it is to be. The new release is live: nothing that goes wrong here stops it.
fn keep_log(promotion: &Promotion<'_>, old: &Container) -> Option<bool> {
    let path = promotion.args.keep_log.as_ref()?;
    let live = promotion.names.live.as_str();
    let kept = log_file::append(path, &promotion.engine, old, live);
    if let Err(why) = &kept {
        warn(&format!(
            "promote: the log of what was replaced is lost, or a part of it: {why}"
        ));
    }
    Some(kept.is_ok())
}

/// Whether the candidate has nobody left: no connection, nor a name by which one could come.
fn has_no_callers(swap: &Swap<'_>) -> bool {
    let drained = swap.waits.candidate_drained.as_ref();
    !swap.candidate_has_name() && drained.is_some_and(|drained| !drained.may_be_open())
}

/// What becomes of a candidate that has served clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It ends, unless clients stay connected to it.
    MayStay,
    /// It ends.
    Ends,
    /// It runs on, to be looked at or promoted once more.
    RunsOn,
}

/// Waits for what was redirected to the candidate, which `staying` takes over. Where it ends, the app's own shutdown closes
/// idle connections, and finishes what the app has accepted and works on in the background.
pub(super) fn drain_candidate(swap: &mut Swap<'_>, staying: Option<&str>, then: Then) {
    let promotion = swap.promotion;
    let forwarders = Forwarders::of(promotion.live);
    let named = swap.candidate_has_name();
    let Some(candidate) = &swap.candidate else {
        return;
    };
    if named && let Some(bridge) = swap.link.bridge_mut() {
        // Found as long as it is there, it could never be drained, and would refuse the last.
        let staying = staying.map(|id| promotion.engine.container(id));
        if let Some(Ok(Some(staying))) = staying {
            let live = &promotion.names.live;
            bridge.redirect_name(redirect::by_name(candidate, &staying, live));
        }
    }
    let drained = forwarders.drain(candidate, &swap.recipe.tcp(), promotion.args.drain);
    swap.await_answers(candidate);
    let is_kept = then == Then::MayStay && drained.open > 0 && keeps_clients(swap);
    swap.waits.kept = is_kept.then_some(drained.open);
    // Stopped it loses the name, which it must not keep after a rollback.
    if named || !is_kept && (then != Then::RunsOn || drained.may_be_open()) {
        // It may say its last to those who were redirected to it.
        swap.link.bridge_mut().into_iter().for_each(Bridge::unwatch);
        stop_gracefully(promotion, candidate);
    }
    swap.waits.candidate_drained = Some(drained);
}

/// Whether clients are to stay connected to the candidate, and can. A bridge that is closed keeps what is open, and
/// somebody has to end it all later.
fn keeps_clients(swap: &Swap<'_>) -> bool {
    let Promotion { args, has_heir, .. } = swap.promotion;
    if args.keep_connections.is_zero() {
        return false;
    }
    let why_not = match swap.link.bridge() {
        None => "there is no bridge",
        Some(_) if swap.candidate_has_name() => "the app is called by its name on a network",
        Some(_) if !has_heir => "nobody could end the candidate later",
        Some(_) => return true,
    };
    warn(&format!(
        "promote: clients do not stay connected: {why_not}"
    ));
    false
}

/// Has a container end by itself, which has connections to close.
pub(super) fn stop_gracefully(promotion: &Promotion<'_>, container: &Container) {
    let grace = promotion.args.bounded_grace(container);
    if let Err(error) = promotion.engine.stop(&container.id, grace) {
        let name = container.name();
        warn(&format!("promote: {name} did not stop: {error}"));
    }
}
