//! Creating the candidate, not started, and looking at what was created.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::cli::Reply;
use step::engine::complaint::refusal;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::model::name::Names;
use step::model::places::without_names;
use step::ownership::Owned;
use step::ownership::marks::Marks;
use step::recipe::values::secrets_of_options;

use crate::failure::{Failure, NO_SPACE};
use crate::half_made;
use crate::plan::Plan;

/// What was created, and what the app has live and had before.
pub(crate) type Seen = (Container, Owned<Container>);

/// Creates it and looks at it. A tag may have become another image's meanwhile, which an id never does.
pub(crate) fn make(
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
    let ports = plan.loopback.iter().map(|(ip, port, spoken)| {
        let ip = if ip.is_ipv6() {
            format!("[{ip}]")
        } else {
            ip.to_string()
        };
        format!("--publish={ip}::{port}/{}", spoken.word())
    });
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
    not_created(engine, names, plan, marks, &reply)
}

/// Why it was not created. The CLI's exit code does not tell a taken name or an image that is gone from a malformed
/// option; the engine does.
fn not_created(
    engine: &Engine,
    names: &Names,
    plan: &Plan,
    marks: &Marks,
    reply: &Reply,
) -> Result<String, Failure> {
    let recipe = &plan.recipe;
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    let found = Owned::read(engine, &marks.app, &marks.of).map_err(CommonFailure::from)?;
    if found.old.is_some() {
        return Err(Failure::Unfinished(names.old.clone()));
    }
    // A name is taken before its container can be seen, and for as long as that one is created.
    let taken =
        reply.stderr.contains("is already in use") && reply.stderr.contains(&names.candidate);
    if taken || found.candidate.is_some() {
        return Err(Failure::CandidateExists(names.candidate.clone()));
    }
    // Another job may have pruned it since it was looked at.
    if engine.image(recipe.image_id.as_str())?.is_none() {
        return Err(Failure::ImageAbsent(recipe.image.to_string()));
    }
    let options = &plan.filled.options;
    let secrets = secrets_of_options(options, &recipe.command);
    let refusal = refusal(&reply.stderr, options, &recipe.folder, &secrets);
    if refusal.said.contains(NO_SPACE) {
        return Err(Failure::NotStarted {
            candidate: names.candidate.clone(),
            message: refusal.said,
            exit_code: None,
            log: Vec::new(),
        });
    }
    Err(refusal.into())
}
