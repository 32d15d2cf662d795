//! A published port: the final container is made from the candidate, and takes the old one's port.

use step::engine::container::Container;
use step::engine::error::EngineError;
use step::ownership::marks::{candidate_of, previous_of, recipe_of};
use step::recipe::{Condition, Recipe};
use step::signals::defer_interrupts;
use step::terminal::progress;

use crate::bridge::stale;
use crate::failure::Failure;
use crate::failure::way_out::WayOut;
use crate::network;
use crate::network::wanted::{wanted, without_names};
use crate::preflight;
use crate::promotion::Promotion;
use crate::report::Report;
use crate::rerun;
use crate::state::{self, Phase, State};
use crate::swap::link::Link;
use crate::swap::names;
use crate::swap::outcome;
use crate::swap::port::{self, Stage};
use crate::swap::prepare::{self, Ready};
use crate::swap::{Old, Swap};

/// Promotes from wherever things stand.
pub(crate) fn run(promotion: &Promotion<'_>, state: State) -> Result<Report, Failure> {
    let live = &promotion.names.live;
    let candidate = state.candidate.as_ref().map(|it| it.id.clone());
    let done = match state::phase(&state) {
        Phase::Fresh => begin(promotion, state),
        Phase::Interrupted => resume(promotion, state),
        Phase::Committed if state::is_by_alias(&state) => Err(Failure::NoCandidate(
            format!("an unfinished promotion of {live} was begun with --network and --alias"),
            WayOut::WithAlias,
        )),
        Phase::Committed => finish(promotion, state),
    };
    done.inspect_err(|failure| names::take_back(promotion, candidate, failure))
}

fn begin(promotion: &Promotion<'_>, state: State) -> Result<Report, Failure> {
    preflight::may_begin(promotion)?;
    if state.candidate.is_none() {
        stale::remove(&promotion.engine, promotion.live);
    }
    rerun::unless_done(promotion, state, |live, candidate| {
        replace(promotion, live, candidate)
    })
}

fn replace(
    promotion: &Promotion<'_>,
    live: Option<Container>,
    candidate: Container,
) -> Result<Report, Failure> {
    preflight::beside_live(&candidate, live.as_ref())?;
    let candidate = network::put_back(&promotion.engine, candidate)?;
    let recipe = preflight::check(promotion, &candidate)?;
    preflight::verifiable(promotion, &candidate, &recipe)?;
    // Asked before there is a bridge, or the candidate would answer for it.
    let old = live.map(|live| {
        let was = preflight::condition(promotion, &live);
        Old::new(live, was)
    });
    let (ready, next) = prepare::run(promotion, candidate, &recipe, old.as_ref())?;
    defer_interrupts();
    let Ready { candidate, bridge } = ready;
    let link = Link::from(bridge);
    let swap = Swap::new(promotion, recipe, old, Some(candidate), Some(next), link);
    outcome::report(promotion, port::run(swap, Stage::Rename)?, false)
}

/// The live container has its name `-old` already.
fn resume(promotion: &Promotion<'_>, state: State) -> Result<Report, Failure> {
    progress(&format!(
        "promote: resuming an unfinished promotion of {}",
        promotion.names.live
    ));
    defer_interrupts();
    let State {
        candidate,
        old,
        next,
        ..
    } = state;
    let carries = next.as_ref().or(candidate.as_ref());
    let recipe = carries.and_then(recipe_of).unwrap_or_default();
    let was = next.as_ref().map(condition_of_old).unwrap_or_default();
    let made_from = candidate.as_ref().map(|candidate| candidate.id.clone());
    let made_from = made_from.or_else(|| next.as_ref().and_then(candidate_of));
    let next = match next {
        Some(next) => kept_next(promotion, next, old.as_ref(), &recipe)?,
        None => None,
    };
    let bridge = prepare::serve_again(promotion, candidate.as_ref(), &recipe);
    if bridge.is_err() {
        stale::remove(&promotion.engine, promotion.live);
    }
    let from = if next.is_some() {
        Stage::Verify
    } else {
        Stage::Create
    };
    let (old, next) = (old.map(|old| Old::new(old, was)), next.map(|next| next.id));
    let swap = Swap::new(promotion, recipe, old, candidate, next, bridge.into());
    let outcome = port::run(swap, from)?;
    rerun::as_asked(promotion, made_from.as_deref())?;
    outcome::report(promotion, outcome, true)
}

/// The final container that another promotion has made, if it runs. The kill may have come when it was off a network, to
/// be put back under more names.
fn kept_next(
    promotion: &Promotion<'_>,
    next: Container,
    old: Option<&Container>,
    recipe: &Recipe,
) -> Result<Option<Container>, EngineError> {
    let Promotion { engine, names, .. } = promotion;
    if !next.state.up() {
        // Never started or ended: it is made anew, so its loss costs nothing.
        let _ = engine.remove_with_volumes(&[&next.id]);
        return Ok(None);
    }
    let wanted = wanted(&recipe.options, old, &names.live, next.is_podman());
    network::give(engine, &next, &without_names(wanted))?;
    Ok(Some(next))
}

/// The final container is verified and has the live name; what is left is clearing away.
fn finish(promotion: &Promotion<'_>, state: State) -> Result<Report, Failure> {
    progress(&format!(
        "promote: finishing a promotion of {}",
        promotion.names.live
    ));
    defer_interrupts();
    let State {
        live,
        candidate,
        old,
        ..
    } = state;
    let recipe = live.as_ref().and_then(recipe_of).unwrap_or_default();
    let was = live.as_ref().map(condition_of_old).unwrap_or_default();
    let made_from = live.as_ref().and_then(candidate_of);
    let left = stale::close(&promotion.engine, promotion.live).map_err(Failure::StrayBridge)?;
    let link = if left { Link::Stale } else { Link::Off(None) };
    let (old, next) = (old.map(|old| Old::new(old, was)), live.map(|live| live.id));
    let swap = Swap::new(promotion, recipe, old, candidate, next, link);
    let outcome = port::run(swap, Stage::Port)?;
    stale::remove(&promotion.engine, promotion.live);
    rerun::as_asked(promotion, made_from.as_deref())?;
    outcome::report(promotion, outcome, true)
}

/// How the container was that this one is to replace, or has replaced.
fn condition_of_old(container: &Container) -> Condition {
    previous_of(container).map_or(Condition::default(), |previous| previous.condition)
}
