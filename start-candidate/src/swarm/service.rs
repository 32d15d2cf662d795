//! The candidate's service, as it is created and then looked at.

use step::engine::Engine;
use step::engine::complaint::refusal;
use step::engine::swarm::service::Service;
use step::model::name::Names;
use step::ownership::marks::Marks;
use step::recipe::Recipe;
use step::recipe::values::{Filled, secrets_of_options};

use crate::failure::{Failure, WayOut};

/// Returns its full id.
pub(super) fn create(
    engine: &Engine,
    names: &Names,
    marks: &Marks,
    filled: &Filled,
    live: Option<&Service>,
) -> Result<String, Failure> {
    let recipe = &marks.recipe;
    let words = words(names, marks, filled, live);
    let reply = engine.create_service(&words, &filled.environment, &recipe.folder)?;
    if reply.code != Some(0) {
        if reply.engine_is_away() {
            return Err(reply.failure().into());
        }
        if reply
            .stderr
            .contains("name conflicts with an existing object")
        {
            return Err(Failure::CandidateExists(names.candidate.clone()));
        }
        let secrets = secrets_of_options(&filled.options, &recipe.command);
        let said = refusal(&reply.stderr, &filled.options, &recipe.folder, &secrets);
        return Err(said.into());
    }
    let created = engine.service(&names.candidate)?;
    let created = created.ok_or_else(|| Failure::Vanished(names.candidate.clone()))?;
    if let Err(refused) = allowed(&created, recipe) {
        // The refusal is what the caller must hear of.
        let _ = engine.remove_service(&created.id);
        return Err(refused);
    }
    Ok(created.id)
}

fn words(names: &Names, marks: &Marks, filled: &Filled, live: Option<&Service>) -> Vec<String> {
    let recipe = &marks.recipe;
    let mut words = vec![
        format!("--name={}", names.candidate),
        "--replicas=1".to_owned(),
        // No address that the kernel would have to balance.
        "--endpoint-mode=dnsrr".to_owned(),
        // A task that ends is a candidate that failed.
        "--restart-condition=none".to_owned(),
    ];
    words.extend(marks.options());
    words.extend(filled.options.iter().cloned());
    words.extend(recipe.pinned());
    match (&recipe.command[..], live) {
        ([], Some(live)) => words.extend(live.options().command()),
        (command, _) => words.extend(command.iter().cloned()),
    }
    words
}

/// Seen on the service and not guessed from its options.
fn allowed(created: &Service, recipe: &Recipe) -> Result<(), Failure> {
    let found = [
        (
            Some(created.image()) != recipe.pinned().as_deref(),
            "another image",
            WayOut::Image,
        ),
        (created.publishes(), "published ports", WayOut::Publish),
        (
            created.has_aliases(),
            "a network alias (the candidate would be called before it is verified)",
            WayOut::LeaveOut,
        ),
        (
            created.replicas() != Some(1),
            "another number of tasks",
            WayOut::LeaveOut,
        ),
    ];
    Failure::first_refused(found, "the options")
}
