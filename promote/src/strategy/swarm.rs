//! On a swarm: the live service is updated to what the candidate service was verified with, and Swarm replaces the tasks.

mod rollout;
mod service;
mod update;

use std::time::Duration;

use step::contract::failure::CommonFailure;
use step::contract::handoff::Handoff;
use step::engine::Engine;
use step::engine::swarm::service::{Service, Update};
use step::engine::swarm::task::Task;
use step::ownership::Owned;
use step::ownership::marks::Marks;
use step::ownership::way_back::{Live, WayBack};
use step::recipe::{Previous, Recipe};
use step::signals::defer_interrupts;
use step::terminal::progress;

use crate::args::Args;
use crate::failure::Failure;
use crate::failure::way_out::WayOut;
use crate::preflight;
use crate::promotion::Promotion;
use crate::report::{Replaced, Report};
use rollout::{Done, Rollout};
use service::candidate_of;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    let lock = engine.lock(live, Duration::from_secs(1))?;
    let lock = lock.ok_or_else(|| Failure::Locked(live.to_string()))?;
    let engine = engine.holding(&lock);
    engine.manager()?;
    run_holding(&Promotion::new(args, engine, app, live, names))
}

fn run_holding(promotion: &Promotion<'_>) -> Result<Report, Failure> {
    let found = Owned::read_services(&promotion.engine, promotion.app, promotion.live);
    let Owned {
        live, candidate, ..
    } = found.map_err(CommonFailure::from)?;
    let Some(candidate) = candidate else {
        return nothing_to_promote(promotion, live);
    };
    let recipe = Marks::of_service(&candidate).map(|it| it.recipe);
    let recipe =
        recipe.ok_or_else(|| no_candidate(promotion, "was not made by start-candidate"))?;
    if let Some(live) = &live
        && candidate_of(live).as_ref() == Some(&candidate.id)
    {
        progress(&format!(
            "promote: resuming an update of {}",
            promotion.names.live
        ));
        return see_through(promotion, live, &candidate, &recipe, true);
    }
    preflight::may_begin(promotion)?;
    check(promotion, live.as_ref(), &candidate)?;
    defer_interrupts();
    let updated = match &live {
        Some(live) => update::apply(promotion, live, &candidate, &recipe)?,
        None => update::create(promotion, &candidate, &recipe)?,
    };
    see_through(promotion, &updated, &candidate, &recipe, false)
}

fn no_candidate(promotion: &Promotion<'_>, why: &str) -> Failure {
    Failure::NoCandidate(
        format!("the service {} {why}", promotion.names.candidate),
        WayOut::Start,
    )
}

/// Done already, unless its update goes on.
fn nothing_to_promote(promotion: &Promotion<'_>, live: Option<Service>) -> Result<Report, Failure> {
    let found = live.and_then(|live| Some((Marks::of_service(&live)?, live)));
    let found = found.filter(|(marks, _)| marks.candidate.is_some());
    let handed = promotion.args.handoff.candidate_id.as_ref();
    match found {
        Some((marks, live)) if handed.is_none() || handed == marks.candidate.as_ref() => {
            let update = Rollout::new(promotion, &live, &marks.recipe).until_done()?;
            Ok(report(promotion, update, marks.recipe, false, false))
        }
        _ => Err(no_candidate(promotion, "does not exist")),
    }
}

/// Whether the candidate is the one that was meant, still runs, and may go live.
fn check(
    promotion: &Promotion<'_>,
    live: Option<&Service>,
    candidate: &Service,
) -> Result<(), Failure> {
    let mut meant = promotion.args.handoff.candidate_id.iter();
    if meant.any(|id| *id != candidate.id) {
        return Err(no_candidate(promotion, "is another one than was probed"));
    }
    let tasks = promotion.engine.tasks(candidate)?;
    if tasks.len() != 1 || !tasks.iter().all(Task::runs) {
        let why = tasks.first();
        let why = why.map_or_else(|| "no task".to_owned(), Task::why);
        return Err(no_candidate(promotion, &format!("does not run: {why}")));
    }
    let Some(live) = live else {
        return Ok(());
    };
    preflight::not_overtaken(candidate, Some(live))?;
    if matches!(live.update(), Update::Running | Update::RollingBack) {
        return Err(Failure::Locked(promotion.names.live.clone()));
    }
    match live.options().cannot_become(&candidate.options()) {
        Some(part) => Err(Failure::NotVerified(format!(
            "its {part}, which no update can change"
        ))),
        None => Ok(()),
    }
}

/// Waits for what becomes of the update, then takes the candidate away.
fn see_through(
    promotion: &Promotion<'_>,
    live: &Service,
    candidate: &Service,
    recipe: &Recipe,
    carried_on: bool,
) -> Result<Report, Failure> {
    let waiting = Rollout::new(promotion, live, recipe);
    let previous = Marks::of_service(live).and_then(|it| it.previous);
    let first = !carried_on && previous.is_none();
    let waiting = if first { waiting.first() } else { waiting };
    let done = waiting.until_done()?;
    let mut report = report(promotion, done, recipe.clone(), true, carried_on);
    if promotion.engine.remove_service(&candidate.id).is_err() {
        report.left_over.push(promotion.names.candidate.clone());
    }
    progress(&format!(
        "promote: {} is live with {}",
        promotion.live, recipe.image
    ));
    Ok(report)
}

fn report(
    promotion: &Promotion<'_>,
    done: Done,
    recipe: Recipe,
    changed: bool,
    carried_on: bool,
) -> Report {
    let named = |previous: Previous| Replaced {
        image: previous.image,
        image_id: previous.image_id,
    };
    let previous = Marks::of_service(&done.service).filter(|_| changed);
    let previous = previous.and_then(|it| it.previous);
    let live = Live::service(&done.service);
    let back = previous
        .as_ref()
        .map(|it| WayBack::to(it.recipe.as_ref(), &live));
    Report {
        container_id: done.service.id.clone(),
        deploy_id: recipe.deploy_id,
        changed,
        carried_on,
        replaced: previous.map(named),
        way_back: back,
        tasks: done.tasks.iter().map(Task::standing).collect(),
        handoff: Handoff::of(promotion.app, promotion.live, &recipe),
        ..Report::default()
    }
}
