//! Creating the candidate, looking at what was created, and only then starting it.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::cli::Reply;
use step::engine::error::EngineError;
use step::host::lock::Lock;
use step::join::both;
use step::model::name::{Name, Names};
use step::recipe::{PREVIOUS_LABEL, RECIPE_LABEL, Recipe, secrets_of};
use step::signals::interrupted;
use step::terminal::progress;
use step::text::{printable, redact, secrets_of_options};

use crate::args::Args;
use crate::failure::{Failure, NO_SPACE};
use crate::inspection;
use crate::plan::{Plan, plan};
use crate::report::Report;
use crate::slot::Slot;
use crate::swarm;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    if args.common.swarm {
        return swarm::run(args);
    }
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    // Until the container keeps its image there.
    let images =
        Lock::use_images(app, args.common.engine.engine_timeout).map_err(CommonFailure::NoLock)?;
    let (beside, all) = (engine.clone(), &names);
    let (plan, slot) = both(
        || plan(&engine, args, &names),
        move || Slot::look(&beside, args, live, all),
    );
    let (slot, plan) = (slot?, plan?);
    inspection::does_nothing_else(&plan)?;
    slot.clear(&engine, &names)?;
    progress(&format!(
        "start-candidate: creating {} from {}",
        names.candidate, plan.recipe.image
    ));
    let id = create(&engine, app, &names, &plan)?;
    drop(images);
    let started = look_and_start(&engine, args, app, &names, &plan, &id);
    if started.is_err() {
        // The failure itself is what the caller must hear of; a left-over would be found next time.
        let _ = engine.remove_with_volumes(&[&id]);
    }
    started?;
    progress(&format!("start-candidate: {} runs", names.candidate));
    Ok(Report::of(app, live, &names, id, plan.recipe))
}

fn create(engine: &Engine, app: &Name, names: &Names, plan: &Plan) -> Result<String, Failure> {
    let recipe = &plan.recipe;
    let ports = plan.loopback.iter();
    let ports = ports.map(|port| format!("--publish=127.0.0.1::{port}"));
    let replaces = plan.replaces.iter();
    let replaces =
        replaces.map(|previous| format!("--label={PREVIOUS_LABEL}={}", previous.label()));
    let words = recipe.words(&names.candidate, app, ports.chain(replaces).collect());
    let lost = |_: &EngineError| remove_unstarted(engine, names, plan);
    let reply = engine.create(&words, &recipe.folder).inspect_err(lost)?;
    if reply.code == Some(0) {
        return Ok(reply.id().inspect_err(lost)?);
    }
    Err(not_created(engine, names, recipe, &reply)?)
}

/// What a call whose answer is lost may have created all the same.
fn remove_unstarted(engine: &Engine, names: &Names, plan: &Plan) {
    if let Ok(Some(found)) = engine.container(&names.candidate)
        && found.label(RECIPE_LABEL) == Some(&plan.recipe.label())
        && found.state.status == "created"
    {
        // The call that timed out is what the caller must hear of.
        let _ = engine.remove_with_volumes(&[&found.id]);
    }
}

/// The CLI's exit code does not tell a taken name or an image that is gone from a malformed
/// option; the engine does.
fn not_created(
    engine: &Engine,
    names: &Names,
    recipe: &Recipe,
    reply: &Reply,
) -> Result<Failure, Failure> {
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    let found = engine.containers(&[&names.candidate, &names.old])?;
    if found.iter().any(|container| container.name() == names.old) {
        return Ok(Failure::Unfinished(names.old.clone()));
    }
    // A name is taken before its container can be seen, and for as long as that one is created.
    let taken =
        reply.stderr.contains("is already in use") && reply.stderr.contains(&names.candidate);
    if taken || !found.is_empty() {
        return Ok(Failure::CandidateExists(names.candidate.clone()));
    }
    // Another job may have pruned it since it was looked at.
    if engine.image(recipe.image_id.as_str())?.is_none() {
        return Ok(Failure::ImageAbsent(recipe.image.to_string()));
    }
    let said = redact(&reply.stderr, &secrets_of_options(&recipe.options));
    let first = said
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let message = printable(first, 300);
    if message.contains(NO_SPACE) {
        return Ok(Failure::NotStarted {
            candidate: names.candidate.clone(),
            message,
            exit_code: None,
            log: Vec::new(),
        });
    }
    Ok(Failure::OptionRefused(message))
}

fn look_and_start(
    engine: &Engine,
    args: &Args,
    app: &Name,
    names: &Names,
    plan: &Plan,
    id: &str,
) -> Result<(), Failure> {
    let found = engine.containers(&[id, &names.live, &names.old])?;
    let named = |name: &str| found.iter().find(|container| container.name() == name);
    let created = found.iter().find(|container| container.id == id);
    let created = created.ok_or_else(|| Failure::Vanished(names.candidate.clone()))?;
    if named(&names.old).is_some() {
        return Err(Failure::Unfinished(names.old.clone()));
    }
    inspection::allowed(created, app, names, plan)?;
    if let Some(live) = named(&names.live).filter(|_| !args.allow_shared_volumes) {
        inspection::no_shared_volume(created, live)?;
    }
    let reply = engine.start(id)?;
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    if reply.code != Some(0) {
        return Err(not_started(engine, names, id, &secrets_of(created), &reply));
    }
    if interrupted() {
        return Err(Failure::Interrupted(names.candidate.clone()));
    }
    Ok(())
}

fn not_started(
    engine: &Engine,
    names: &Names,
    id: &str,
    secrets: &[String],
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
    let message = printable(&redact(said.unwrap_or(&reply.stderr), secrets), 500);
    Failure::NotStarted {
        candidate: names.candidate.clone(),
        message,
        // Podman knows none of a program that never ran.
        exit_code: state.map(|state| state.exit_code).filter(|&code| code != 0),
        log: engine.log_tail(id, 20, secrets),
    }
}
