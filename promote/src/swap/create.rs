//! The final container: created in advance from the candidate's recipe, so that only its start is left.

use step::engine::container::Container;
use step::recipe::{CANDIDATE_LABEL, PREVIOUS_LABEL, Previous, Recipe};
use step::text::{printable, redact};

use super::{Old, drift};
use crate::failure::{Evidence, Failure};
use crate::promotion::Promotion;
use crate::restart::RestartPolicy;

/// Creates it, not started, and sees that it is what was verified; returns its full id.
///
/// # Errors
/// When it cannot be created or is not the same; then there is none.
pub(super) fn verified(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    candidate: &Container,
    old: Option<&Old>,
) -> Result<String, Failure> {
    let labels = labels(recipe, candidate, old);
    let mut next = create(promotion, recipe, &labels)?;
    if candidate.is_podman() {
        next = able_to_restart(promotion, recipe, next, labels)?;
    }
    let same = drift::check(promotion, candidate, &next);
    if same.is_err() {
        promotion.engine.remove_with_volumes(&[&next])?;
    }
    same.map(|()| next)
}

/// An engine that could not give it a restart policy later (podman 4) does so at its creation.
fn able_to_restart(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    next: String,
    mut options: Vec<String>,
) -> Result<String, Failure> {
    let policy = promotion.args.restart;
    if policy == RestartPolicy::No || promotion.engine.changes_restart(&next)? {
        return Ok(next);
    }
    promotion.engine.remove_with_volumes(&[&next])?;
    options.push(format!("--restart={policy}"));
    create(promotion, recipe, &options)
}

/// What it says of where it comes from.
fn labels(recipe: &Recipe, candidate: &Container, old: Option<&Old>) -> Vec<String> {
    let made_from = format!("--label={CANDIDATE_LABEL}={}", candidate.id);
    let replaced = old.map(|old| Previous {
        condition: old.was,
        ..Previous::replaced(recipe, &old.container)
    });
    let replaced =
        replaced.map(|previous| format!("--label={PREVIOUS_LABEL}={}", previous.label()));
    [made_from].into_iter().chain(replaced).collect()
}

/// Creates it without a restart policy, which it gets when it is verified: after a power loss the
/// engine must bring back the old container, not this one.
fn create(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    options: &[String],
) -> Result<String, Failure> {
    let ports = recipe
        .publish
        .iter()
        .map(|publish| format!("--publish={publish}"));
    let own = ports.chain(options.iter().cloned());
    let words = recipe.words(&promotion.names.next, promotion.app, own.collect());
    let reply = promotion.engine.create(&words, &recipe.folder);
    let reply = reply.inspect_err(|_| remove_unknown(promotion))?;
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    if reply.code != Some(0) {
        let secrets = step::text::secrets_of_options(&recipe.options);
        let said = printable(&redact(&reply.stderr, &secrets), 300);
        let message = format!("the new container could not be created: {said}");
        return Err(Failure::NotStarted {
            message,
            evidence: Box::<Evidence>::default(),
        });
    }
    Ok(reply.id().inspect_err(|_| remove_unknown(promotion))?)
}

/// What a call whose answer is lost may have created all the same.
fn remove_unknown(promotion: &Promotion<'_>) {
    // That call is what the caller must hear of; what stays is found by the next promotion.
    let _ = promotion
        .engine
        .remove_with_volumes(&[&promotion.names.next]);
}
