//! The failed candidate goes first, then a stale bridge, then images.

use std::time::Duration;

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::model::name::Name;
use step::ownership::marks::{MadeAs, Marks};
use step::ownership::{self, Owned};
use step::terminal::progress;

use crate::args::Args;
use crate::bridge;
use crate::failure::Failure;
use crate::images;
use crate::report::{Left, Report};
use crate::swarm;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    if args.common.swarm {
        return swarm::run(args);
    }
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    let mut report = Report::begin(app, live, args.dry_run);
    if args.candidate {
        remove_candidate(&engine, args, app, live, &mut report)?;
    }
    if !args.dry_run
        && let Some(_no_promotion_begins) = engine.lock(live, Duration::ZERO)?
    {
        bridge::remove_stray(&engine, app, live)?;
    }
    images::remove(
        &engine,
        args,
        app,
        &names,
        args.previous.as_deref(),
        &mut report,
    )?;
    report.told()
}

/// Takes the candidate away, unless it may be what serves: while a promotion runs or is unfinished.
fn remove_candidate(
    engine: &Engine,
    args: &Args,
    app: &Name,
    live: &Name,
    report: &mut Report,
) -> Result<(), Failure> {
    let lock = engine.lock_if_no_promotion(live)?;
    let found = Owned::read(engine, app, live).map_err(CommonFailure::from)?;
    let unfinished = found.old.is_some();
    for container in [&found.candidate, &found.next].into_iter().flatten() {
        let name = container.name().to_owned();
        if let Some(whose) = another(args, container) {
            progress(&format!("prune-app: {name} is {whose} by now, it stays"));
        } else if unfinished || lock.is_none() {
            let why = "a promotion is running or unfinished; run promote, which finishes or rolls it back".to_owned();
            report.not_removed.push(Left { what: name, why });
        } else if args.dry_run {
            report.containers_removed.push(name);
        } else {
            match ownership::remove_candidate(engine, container) {
                Ok(()) => {
                    progress(&format!("prune-app: removed the container {name}"));
                    report.containers_removed.push(name);
                }
                Err(error) => report.not_removed.push(Left {
                    what: name,
                    why: error.to_string(),
                }),
            }
        }
    }
    Ok(())
}

/// Whose the container is, where it is not the candidate that was meant.
fn another(args: &Args, container: &Container) -> Option<&'static str> {
    let marks = Marks::of(container)?;
    let mut meant = args.candidate_id.iter();
    if marks.made_as == MadeAs::Candidate && meant.any(|id| *id != container.id) {
        return Some("another container");
    }
    marks
        .recipe
        .newer_than(args.deploy_id)
        .map(|_| "a newer deployment's")
}
