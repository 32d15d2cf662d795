//! Creating the candidate, looking at what was created, and only then starting it.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::cli::Reply;
use step::engine::complaint::refusal;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::model::name::Names;
use step::model::places::without_names;
use step::ownership::Owned;
use step::ownership::keeper::none_keeps;
use step::ownership::marks::{Marks, secrets_of};
use step::recipe::values::secrets_of_options;
use step::signals::interrupted;
use step::terminal::progress;
use step::text::secrets::Secrets;

use crate::addresses;
use crate::args::Args;
use crate::failure::{Failure, NO_SPACE};
use crate::followed;
use crate::half_made::{self, STEP};
use crate::inspection;
use crate::left_behind;
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
    let made = make(&engine, &names, &mut plan, &marks, killed.as_ref());
    let (id, seen) = made?;
    drop(images);
    lock.note_work(STEP, &id);
    let started = seen.and_then(|seen| start(&engine, args, &names, &plan, &marks, seen));
    if started.is_err() {
        // The failure itself is what the caller must hear of; a left-over would be found next time.
        let _ = engine.remove_with_volumes(&[&id]);
    }
    lock.note(STEP, "");
    let fresh_volumes = started?;
    progress(&format!("start-candidate: {} runs", names.candidate));
    Ok(Report {
        not_carried: plan.not_carried,
        values_from_live: plan.from_live,
        cut_off,
        fresh_volumes,
        ..Report::of(app, live, &names, id, plan.recipe)
    })
}

/// What was created, and what the app has live and had before.
type Seen = (Container, Owned<Container>);

/// Creates it and looks at it. A tag may have become another image's meanwhile, which an id never does.
fn make(
    engine: &Engine,
    names: &Names,
    plan: &mut Plan,
    marks: &Marks,
    killed: Option<&String>,
) -> Result<(String, Result<Seen, Failure>), Failure> {
    let id = match create(engine, names, plan, marks) {
        Err(Failure::CandidateExists(_)) if half_made::remove(engine, names, marks, killed)? => {
            create(engine, names, plan, marks)?
        }
        created => created?,
    };
    let seen = look(engine, names, marks, &id);
    let wanted = plan.recipe.image_id.as_str();
    let is_another = matches!(&seen, Ok((created, _)) if created.image != wanted);
    if !is_another || plan.image == wanted {
        return Ok((id, seen));
    }
    engine.remove_with_volumes(&[&id])?;
    wanted.clone_into(&mut plan.image);
    let id = create(engine, names, plan, marks)?;
    let seen = look(engine, names, marks, &id);
    Ok((id, seen))
}

fn look(engine: &Engine, names: &Names, marks: &Marks, id: &str) -> Result<Seen, Failure> {
    let seen = Owned::read_beside(engine, &marks.app, &marks.of, id);
    let (created, found) = seen.map_err(CommonFailure::from)?;
    let created = created.ok_or_else(|| Failure::Vanished(names.candidate.clone()))?;
    Ok((created, found))
}

/// Creates it without names and fixed addresses: it must not be called before it is verified, and what is fixed is the
/// live container's. What the engine says of them is heard all the same, of one that goes at once.
fn create(engine: &Engine, names: &Names, plan: &Plan, marks: &Marks) -> Result<String, Failure> {
    let (given, nameless) = (&plan.filled.options, without_names(&plan.filled.options));
    if *given != nameless {
        let tried = create_with(engine, names, plan, marks, given)?;
        engine.remove_with_volumes(&[&tried])?;
    }
    create_with(engine, names, plan, marks, &nameless)
}

fn create_with(
    engine: &Engine,
    names: &Names,
    plan: &Plan,
    marks: &Marks,
    options: &[String],
) -> Result<String, Failure> {
    let recipe = &plan.recipe;
    let ports = plan.loopback.iter();
    let ports =
        ports.map(|(port, spoken)| format!("--publish=127.0.0.1::{port}/{}", spoken.word()));
    let own: Vec<String> = ports.chain(marks.options()).collect();
    // What a call whose answer is lost may have created all the same; it is what the caller must hear of.
    let lost = |_: &EngineError| drop(half_made::remove(engine, names, marks, None));
    let words = |image: &str| recipe.words(&names.candidate, &own, options, image);
    let image = (plan.image.as_str(), recipe.image_id.as_str());
    let created = engine.create_by(image, words, &plan.filled.environment, &recipe.folder);
    let reply = created.inspect_err(lost)?;
    if reply.code == Some(0) {
        return Ok(reply.id().inspect_err(lost)?);
    }
    Err(not_created(engine, names, plan, marks, &reply)?)
}

/// The CLI's exit code does not tell a taken name or an image that is gone from a malformed
/// option; the engine does.
fn not_created(
    engine: &Engine,
    names: &Names,
    plan: &Plan,
    marks: &Marks,
    reply: &Reply,
) -> Result<Failure, Failure> {
    let recipe = &plan.recipe;
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    let found = Owned::read(engine, &marks.app, &marks.of).map_err(CommonFailure::from)?;
    if found.old.is_some() {
        return Ok(Failure::Unfinished(names.old.clone()));
    }
    // A name is taken before its container can be seen, and for as long as that one is created.
    let taken =
        reply.stderr.contains("is already in use") && reply.stderr.contains(&names.candidate);
    if taken || found.candidate.is_some() {
        return Ok(Failure::CandidateExists(names.candidate.clone()));
    }
    // Another job may have pruned it since it was looked at.
    if engine.image(recipe.image_id.as_str())?.is_none() {
        return Ok(Failure::ImageAbsent(recipe.image.to_string()));
    }
    let options = &plan.filled.options;
    let secrets = secrets_of_options(options, &recipe.command);
    let refusal = refusal(&reply.stderr, options, &recipe.folder, &secrets);
    if refusal.said.contains(NO_SPACE) {
        return Ok(Failure::NotStarted {
            candidate: names.candidate.clone(),
            message: refusal.said,
            exit_code: None,
            log: Vec::new(),
        });
    }
    Ok(refusal.into())
}

/// Starts what was created, if it is what it was to be. Returns the places where it begins with an empty volume and the
/// live container does not.
fn start(
    engine: &Engine,
    args: &Args,
    names: &Names,
    plan: &Plan,
    marks: &Marks,
    (created, found): Seen,
) -> Result<Vec<String>, Failure> {
    let id = created.id.as_str();
    inspection::allowed(&created, names, plan, marks)?;
    followed::by_no_proxy(&created, &args.proxy_follows)?;
    if found.old.is_some() {
        return Err(Failure::Unfinished(names.old.clone()));
    }
    let live = found.live.as_ref();
    if let Some(live) = live {
        inspection::no_shared_network(&created, live)?;
    }
    let fresh = match live {
        Some(live) => {
            volumes::not_shared(&created, live, args.allow_shared_volumes.as_ref())?;
            volumes::tell_fresh(&created, live)
        }
        None => Vec::new(),
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
    Ok(fresh)
}

fn not_started(
    engine: &Engine,
    names: &Names,
    id: &str,
    secrets: &Secrets,
    reply: &Reply,
) -> Failure {
    let state = match engine.container(id) {
        // Another job's --reslot came between its creation and its start.
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
