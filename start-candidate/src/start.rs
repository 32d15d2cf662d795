//! Creating the candidate, looking at what was created, and only then starting it.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::cli::Reply;
use step::model::name::Names;
use step::ownership::keeper::none_keeps;
use step::ownership::marks::{Marks, secrets_of};
use step::signals::interrupted;
use step::terminal::progress;
use step::text::secrets::Secrets;

use crate::addresses;
use crate::args::Args;
use crate::create::{Seen, make};
use crate::failure::Failure;
use crate::followed;
use crate::half_made::STEP;
use crate::inspection;
use crate::left_behind;
use crate::like_live::tell_missed;
use crate::own_ports;
use crate::plan::{Plan, plan};
use crate::report::Report;
use crate::slot::Slot;
use crate::swarm;
use crate::volumes;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    if args.common.swarm {
        return swarm::run(args);
    }
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    // Until the container keeps its image there.
    let images = engine.use_images(app)?;
    let slot = Slot::look(&engine, args, app, live, &names)?;
    none_keeps(slot.live.as_ref()).map_err(CommonFailure::from)?;
    let mut plan = plan(&engine, args, &names, slot.live.as_ref())?;
    let marks = plan.marks(app, live);
    inspection::does_nothing_else(&plan)?;
    let cut_off = match &slot.live {
        Some(live) => left_behind::tell(&engine, live, &plan.recipe)?,
        None => Vec::new(),
    };
    let lock = slot.clear(&engine, args, &marks)?;
    let (engine, killed) = (engine.holding(&lock), lock.unfinished(STEP));
    progress(&format!(
        "start-candidate: creating {} from {}",
        names.candidate, plan.recipe.image
    ));
    let (id, seen) = make(&engine, &names, &mut plan, &marks, killed.as_ref())?;
    drop(images);
    lock.note_work(STEP, &id);
    let started = seen.and_then(|seen| start(&engine, args, &names, &plan, &marks, seen));
    if started.is_err() {
        // The failure itself is what the caller must hear of; a left-over would be found next time.
        let _ = engine.remove_with_volumes(&[&id]);
    }
    lock.note(STEP, "");
    let started = started?;
    progress(&format!("start-candidate: {} runs", names.candidate));
    Ok(Report {
        not_carried: [plan.not_carried, started.missed].concat(),
        values_from_live: plan.from_live,
        cut_off,
        fresh_volumes: started.fresh,
        ..Report::of(app, live, &names, id, plan.recipe)
    })
}

/// What a candidate that was started has not got of the live container's.
#[derive(Default)]
struct Started {
    /// Names of run options.
    missed: Vec<String>,
    /// Places where it begins with an empty volume.
    fresh: Vec<String>,
}

/// Starts what was created, if it is what it was to be.
fn start(
    engine: &Engine,
    args: &Args,
    names: &Names,
    plan: &Plan,
    marks: &Marks,
    (created, found): Seen,
) -> Result<Started, Failure> {
    let id = created.id.as_str();
    inspection::allowed(&created, names, plan, marks)?;
    followed::by_no_proxy(&created, &args.proxy_follows)?;
    if found.old.is_some() {
        return Err(Failure::Unfinished(names.old.clone()));
    }
    let live = found.live.as_ref();
    let told = match live {
        Some(live) => {
            inspection::no_shared_network(&created, live)?;
            volumes::not_shared(engine, &created, live, args.allow_shared_volumes.as_ref())?;
            Started {
                fresh: volumes::tell_fresh(&created, live),
                missed: tell_missed(plan.missed.clone(), live, &created, &plan.inherited),
            }
        }
        None => Started::default(),
    };
    addresses::free(engine, &plan.recipe, live)?;
    let reply = engine.start(id)?;
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    if reply.code != Some(0) {
        return Err(not_started(
            engine,
            names,
            id,
            &secrets_of(&created),
            &reply,
        ));
    }
    if interrupted() {
        return Err(Failure::Interrupted(names.candidate.clone()));
    }
    addresses::leave(engine, &plan.recipe, live, id)?;
    own_ports::leave(engine, plan, id)?;
    Ok(told)
}

fn not_started(
    engine: &Engine,
    names: &Names,
    id: &str,
    secrets: &Secrets,
    reply: &Reply,
) -> Failure {
    let state = match engine.container(id) {
        // Another job's --replace came between its creation and its start.
        Ok(None) => return Failure::Vanished(names.candidate.clone()),
        found => found.ok().flatten().map(|container| container.state),
    };
    let said = state
        .as_ref()
        .map(|state| state.error.as_str())
        .filter(|error| !error.is_empty());
    let message = secrets.show(said.unwrap_or(&reply.stderr), 500);
    Failure::NotStarted {
        candidate: names.candidate.clone(),
        message,
        // Podman knows none of a program that never ran.
        exit_code: state.map(|state| state.exit_code).filter(|&code| code != 0),
        log: engine.log_tail(id, 20, secrets),
    }
}
