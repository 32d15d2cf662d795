//! On a swarm: the candidate is a service of one task, made like the live service's tasks.

mod plan;
mod service;

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::swarm::service::Service;
use step::ownership::Owned;
use step::ownership::marks::{MadeAs, Marks};
use step::recipe::values::Filled;
use step::terminal::progress;

use crate::args::Args;
use crate::failure::Failure;
use crate::half_made::STEP;
use crate::plan::values;
use crate::report::Report;
use crate::slot;
use plan::plan;
use service::create;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    engine.manager()?;
    let lock = slot::no_promotion_runs(&engine, live)?;
    let (engine, killed) = (engine.holding(&lock), lock.unfinished(STEP));
    let found = Owned::read_services(&engine, app, live).map_err(CommonFailure::from)?;
    let running = found.live;
    let (recipe, values) = plan(&engine, args, &names, running.as_ref())?;
    let (mut filled, from_live) = match (&values, &running) {
        (Some(values), _) => (Filled::new(&recipe.options, values, &[])?, Vec::new()),
        (None, Some(live)) => values::of_service(&engine, &recipe, live)?,
        (None, None) => return Err(Failure::NoPrevious(names.live.clone())),
    };
    let marks = Marks {
        replaces: running.as_ref().map(|live| live.id.clone()),
        ..Marks::new(app, live, MadeAs::Candidate, recipe.clone())
    };
    // What this very command has left when it was killed waits for nobody.
    let killed = killed.filter(|name| *name == names.candidate);
    let is_own = |it: &Service| killed.is_some() && marks.are_among(it.labels());
    make_room(&engine, args, running.as_ref(), found.candidate, is_own)?;
    progress(&format!(
        "start-candidate: creating the service {} from {}",
        names.candidate, recipe.image
    ));
    let inherited = running
        .as_ref()
        .map(|live| live.options().inherited(&recipe.options));
    let inherited = filled.environment.take(&inherited.unwrap_or_default());
    filled.options.splice(..0, inherited);
    lock.note_work(STEP, &names.candidate);
    let created = create(&engine, &names, &marks, &filled, running.as_ref());
    lock.note(STEP, "");
    let id = created?;
    progress(&format!("start-candidate: {} is created", names.candidate));
    Ok(Report {
        values_from_live: from_live,
        ..Report::of(app, live, &names, id, recipe)
    })
}

/// Not beside a newer deployment; and in nobody's place, unless it may be replaced.
fn make_room(
    engine: &Engine,
    args: &Args,
    live: Option<&Service>,
    left_over: Option<Service>,
    is_own: impl Fn(&Service) -> bool,
) -> Result<(), Failure> {
    slot::not_outdated(args, live.into_iter().chain(&left_over))?;
    match left_over {
        Some(left_over) if !args.replace && !is_own(&left_over) => {
            Err(Failure::CandidateExists(left_over.name().to_owned()))
        }
        Some(left_over) => Ok(engine.remove_service(&left_over.id)?),
        None => Ok(()),
    }
}
