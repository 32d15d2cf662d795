//! Behind a proxy: the candidate itself goes live, by the alias that clients call on a network.

use step::contract::failure::CommonFailure;
use step::engine::container::Container;
use step::ownership::keeper::no_labels_are_missed;
use step::ownership::marks::recipe_of;
use step::recipe::{Condition, Recipe};
use step::signals::{defer_interrupts, interrupted};
use step::terminal::progress;

use crate::args::Alias;
use crate::bridge::error::NoBridge;
use crate::bridge::stale;
use crate::failure::Failure;
use crate::failure::way_out::WayOut;
use crate::network;
use crate::preflight;
use crate::promotion::Promotion;
use crate::report::Report;
use crate::rerun;
use crate::state::{self, Phase, State};
use crate::swap::error::SwapError;
use crate::swap::link::Link;
use crate::swap::names;
use crate::swap::{Old, Swap, alias as swap_alias, outcome};

/// Promotes from wherever things stand. The journal is the same but that no `-next` is made:
/// the candidate itself gets the live name when the old container has given it up.
pub(crate) fn run(
    promotion: &Promotion<'_>,
    mut state: State,
    alias: Alias<'_>,
) -> Result<Report, Failure> {
    if state::is_by_port(&state) {
        let begun = format!(
            "an unfinished promotion of {} was begun without --network and --alias",
            promotion.names.live
        );
        return Err(Failure::NoCandidate(begun, WayOut::WithoutAlias));
    }
    if let Some(candidate) = state.candidate.take() {
        state.candidate = Some(match has_links(&candidate) {
            true => candidate,
            false => network::put_back(&promotion.engine, candidate)?,
        });
    }
    let candidate = state.candidate.as_ref().map(|it| it.id.clone());
    let done = match state::phase(&state) {
        Phase::Fresh => begin(promotion, state, alias),
        Phase::Interrupted => resume(promotion, state, alias),
        Phase::Committed => finish(promotion, state, alias),
    };
    done.inspect_err(|failure| names::take_back(promotion, candidate, failure))
}

fn begin(promotion: &Promotion<'_>, state: State, alias: Alias<'_>) -> Result<Report, Failure> {
    preflight::may_begin(promotion)?;
    stale::remove(&promotion.engine, promotion.live);
    rerun::unless_done(promotion, state, |live, candidate| {
        put_live(promotion, live, candidate, alias)
    })
}

fn put_live(
    promotion: &Promotion<'_>,
    live: Option<Container>,
    candidate: Container,
    alias: Alias<'_>,
) -> Result<Report, Failure> {
    no_labels_are_missed(live.as_ref()).map_err(CommonFailure::from)?;
    check_alias(&candidate, alias).map_err(|why| Failure::NoCandidate(why, WayOut::Restart))?;
    preflight::beside_live(&candidate, live.as_ref())?;
    let recipe = preflight::check(promotion, &candidate)?;
    let old = live.map(|live| {
        let was = preflight::condition(promotion, &live);
        Old::new(live, was)
    });
    if interrupted() {
        return Err(Failure::Interrupted(promotion.names.live.clone()));
    }
    defer_interrupts();
    let swap = swap(promotion, recipe, old, Some(candidate.id));
    outcome::report(promotion, swap_alias::run(swap, alias)?, false)
}

/// The old container has its name `-old` and runs on, as it does until the very end.
fn resume(promotion: &Promotion<'_>, state: State, alias: Alias<'_>) -> Result<Report, Failure> {
    progress(&format!(
        "promote: resuming an unfinished promotion of {}",
        promotion.names.live
    ));
    defer_interrupts();
    let State { candidate, old, .. } = state;
    let recipe = candidate.as_ref().and_then(recipe_of).unwrap_or_default();
    let old = old.map(|old| {
        let was = match preflight::condition(promotion, &old) {
            Condition::Healthy => Condition::Healthy,
            // How it was before is not known: it is started, and no more is asked of it.
            Condition::Sick | Condition::Down => Condition::Sick,
        };
        Old::new(old, was)
    });
    let Some(candidate) = candidate else {
        let gone = format!("{} does not exist any more", promotion.names.candidate);
        let swap = Swap::new(promotion, recipe, old, None, None, Link::Off(None));
        return Err(swap_alias::roll_back(
            swap,
            SwapError::not_started(gone),
            alias,
        ));
    };
    let swap = swap(promotion, recipe, old, Some(candidate.id.clone()));
    let outcome = swap_alias::run(swap, alias)?;
    rerun::as_asked(promotion, Some(&candidate.id))?;
    outcome::report(promotion, outcome, true)
}

/// The candidate has the live name already.
fn finish(promotion: &Promotion<'_>, state: State, alias: Alias<'_>) -> Result<Report, Failure> {
    progress(&format!(
        "promote: finishing a promotion of {}",
        promotion.names.live
    ));
    defer_interrupts();
    let State { live, old, .. } = state;
    let recipe = live.as_ref().and_then(recipe_of).unwrap_or_default();
    let id = live.map(|live| live.id);
    let old = old.map(|old| {
        // A promotion stopped it, which had seen it drained.
        let was = match old.state.running {
            true => preflight::condition(promotion, &old),
            false => Condition::default(),
        };
        Old::new(old, was)
    });
    let swap = swap(promotion, recipe, old, id.clone());
    let outcome = swap_alias::run(swap, alias)?;
    stale::remove(&promotion.engine, promotion.live);
    rerun::as_asked(promotion, id.as_deref())?;
    outcome::report(promotion, outcome, true)
}

/// The container that is to go live is the candidate itself, so there is no other, and no bridge.
fn swap<'a>(
    promotion: &'a Promotion<'a>,
    recipe: Recipe,
    old: Option<Old>,
    next: Option<String>,
) -> Swap<'a> {
    let link = Link::Off(Some(NoBridge::NoPort));
    Swap::new(promotion, recipe, old, None, next, link)
}

/// Whether it was created with what it would not have any more if it were put back on its network.
fn has_links(candidate: &Container) -> bool {
    let options = recipe_of(candidate).unwrap_or_default().options;
    options.iter().any(|option| option.starts_with("--link"))
}

/// Whether the candidate can itself take the live container's place.
///
/// # Errors
/// Why it cannot, and what to do.
fn check_alias(candidate: &Container, alias: Alias<'_>) -> Result<(), String> {
    let name = candidate.name();
    let on = alias.network;
    // One without a recipe is refused when it is looked at.
    let Some(recipe) = recipe_of(candidate) else {
        return Ok(());
    };
    if !network::resolves(on) {
        return Err(format!(
            "on the network {on} nobody is called by a name: use one made by docker network create"
        ));
    }
    if !candidate.network_settings.networks.contains_key(on) {
        return Err(format!(
            "{name} is not on the network {on}: start it there, with `-- --network {on}` at the end of start-candidate's words"
        ));
    }
    if let Some(publish) = recipe.publish.first() {
        return Err(format!(
            "{name} is to publish the port {publish}, which needs a new container: promote it without --network, or deploy under another --container"
        ));
    }
    Ok(())
}
