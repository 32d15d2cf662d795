//! Asked again: what an earlier promotion has done already, or has left to be cleared away.

use step::contract::failure::CommonFailure;
use step::engine::container::Container;
use step::ownership::keeper::none_keeps;
use step::ownership::marks::{previous_of, recipe_of};
use step::ownership::way_back::{Live, WayBack};
use step::recipe::Previous;
use step::terminal::progress;
use step::text::printable;

use crate::bridge::stale;
use crate::failure::Failure;
use crate::failure::way_out::WayOut;
use crate::preflight;
use crate::promotion::Promotion;
use crate::report::Report;
use crate::state::{State, is_made_from};
use crate::swap::kept;
use crate::swap::outcome::{self, Outcome};

/// Goes on with what is live and the candidate to promote; or tells that there is nothing left to do.
pub(crate) fn unless_done(
    promotion: &Promotion<'_>,
    state: State,
    go_on: impl FnOnce(Option<Container>, Container) -> Result<Report, Failure>,
) -> Result<Report, Failure> {
    let State {
        live,
        candidate,
        next,
        ..
    } = state;
    if let Some(stale) = next {
        promotion.engine.remove_with_volumes(&[&stale.id])?;
    }
    let Some(candidate) = candidate else {
        return nothing_to_promote(promotion, live);
    };
    let made = live
        .as_ref()
        .filter(|live| is_made_from(live, &candidate.id));
    if let Some(live) = made {
        return clear_candidate(promotion, live, &candidate);
    }
    preflight::not_overtaken(&candidate, live.as_ref())?;
    none_keeps(live.as_ref()).map_err(CommonFailure::from)?;
    go_on(live, candidate)
}

/// A promotion whose end was not seen is asked for again: that is no failure. Without a
/// report to go by, nobody can tell it from a deployment that forgot to start a candidate.
fn nothing_to_promote(
    promotion: &Promotion<'_>,
    live: Option<Container>,
) -> Result<Report, Failure> {
    let (names, heir) = (&promotion.names, promotion.killed.heir.as_ref());
    let said = heir.and_then(|report| report["error"]["message"].as_str());
    let said = said.map_or(String::new(), |message| {
        format!(
            "; the heir of a killed promotion reported: {}",
            printable(message, 300)
        )
    });
    match live {
        Some(live) if was_promoted(promotion, &live) => {
            progress(&format!("promote: {} was promoted already", names.live));
            Ok(Report {
                changed: false,
                ..outcome::report(promotion, done_before(&live), false)?
            })
        }
        Some(live) => Err(Failure::NoCandidate(
            format!(
                "there is no container {} to promote; {} runs {}{said}",
                names.candidate, names.live, live.config.image
            ),
            WayOut::Start,
        )),
        None => Err(Failure::NoCandidate(
            format!("there is no container {} to promote{said}", names.candidate),
            WayOut::Start,
        )),
    }
}

/// Whether what is live is what this promotion was asked for, or the killed one before it. What the killed one has noted
/// is root's word or this user's own, and only says which label is looked for.
fn was_promoted(promotion: &Promotion<'_>, live: &Container) -> bool {
    let killed = &promotion.killed;
    let by_heir = |report: &serde_json::Value| {
        let is_ours = recipe_of(live).is_some() && live.state.up();
        is_ours && report["ok"] == true && report["container_id"] == live.id.as_str()
    };
    let handed_on = promotion.args.handoff.candidate_id.as_deref();
    let begun = killed.candidate_id.as_deref();
    let mut ids = handed_on.into_iter().chain(begun);
    killed.heir.as_ref().is_some_and(by_heir) || ids.any(|id| is_made_from(live, id))
}

/// The swap was done, and all that was left to do is this.
fn clear_candidate(
    promotion: &Promotion<'_>,
    live: &Container,
    candidate: &Container,
) -> Result<Report, Failure> {
    let Promotion {
        engine,
        args,
        names,
        ..
    } = promotion;
    progress(&format!(
        "promote: {} was promoted already and is removed",
        names.candidate
    ));
    // It was killed when it had its name, which may have been before it had its restart policy. One that it has is
    // that of the container it replaced.
    args.restart_after(Some(live)).set(engine, &live.id)?;
    stale::close(engine, promotion.live).map_err(Failure::StrayBridge)?;
    kept::end(engine, args, promotion.live, candidate)?;
    outcome::report(promotion, done_before(live), true)
}

/// What was finished may be another deployment's than the one this was asked for.
pub(crate) fn as_asked(promotion: &Promotion<'_>, made_from: Option<&str>) -> Result<(), Failure> {
    let asked = promotion.args.handoff.candidate_id.as_deref();
    if asked.is_none() || made_from.is_none() || asked == made_from {
        return Ok(());
    }
    Err(Failure::NoCandidate(
        format!(
            "the unfinished promotion of another candidate of {} was finished, not that of the one that was handed on",
            promotion.names.live
        ),
        WayOut::Start,
    ))
}

/// The outcome of a swap that an earlier promotion made.
fn done_before(live: &Container) -> Outcome {
    let previous = previous_of(live);
    let back = |it: &Previous| WayBack::to(it.recipe.as_ref(), &Live::container(live));
    Outcome {
        way_back: previous.as_ref().map(back),
        container_id: live.id.clone(),
        recipe: recipe_of(live).unwrap_or_default(),
        previous,
        ..Outcome::default()
    }
}
