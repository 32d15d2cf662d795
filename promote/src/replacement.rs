//! The final container: created in advance from the candidate's recipe, so that only its start is left.

use step::{
    CANDIDATE_LABEL, Condition, Container, PREVIOUS_LABEL, Previous, Recipe, printable, redact,
};

use crate::failure::{Evidence, Failure};
use crate::preflight;
use crate::promote::Promotion;

/// Creates it, not started, and sees that it is what was verified; returns its full id.
///
/// # Errors
/// When it cannot be created or is not the same; then there is none.
pub(crate) fn verified(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    candidate: &Container,
    old: Option<&Container>,
    condition: Condition,
) -> Result<String, Failure> {
    let next = create(promotion, recipe, candidate, old, condition)?;
    let same = preflight::same(promotion, candidate, &next);
    if same.is_err() {
        promotion.engine.remove_with_volumes(&[&next])?;
    }
    same.map(|()| next)
}

/// Creates it without a restart policy, which it gets when it is proven: after a power loss the
/// engine must bring back the old container, not this one. An engine that could not give it one
/// later does so now.
fn create(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    candidate: &Container,
    old: Option<&Container>,
    condition: Condition,
) -> Result<String, Failure> {
    let made_from = format!("--label={CANDIDATE_LABEL}={}", candidate.id);
    let replaced = previous(recipe, old).map(|previous| Previous {
        condition,
        ..previous
    });
    let replaced =
        replaced.map(|previous| format!("--label={PREVIOUS_LABEL}={}", previous.label()));
    let ports = recipe
        .publish
        .iter()
        .map(|publish| format!("--publish={publish}"));
    let policy = &promotion.args.restart;
    let now = candidate.is_podmans()
        && policy != "no"
        && !promotion.engine.changes_restart(&candidate.id)?;
    let restart = now.then(|| format!("--restart={policy}"));
    let own = [made_from].into_iter().chain(replaced).chain(ports);
    let own = own.chain(restart);
    let words = recipe.words(&promotion.names.next, promotion.app, own.collect());
    let reply = promotion.engine.create(&words, &recipe.folder);
    let reply = reply.inspect_err(|_| remove_unknown(promotion))?;
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    if reply.code != Some(0) {
        let secrets = step::secrets_of_options(&recipe.options);
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

/// What a rollback goes to. The same release deployed again replaces nothing: then it stays
/// the one before.
pub(crate) fn previous(recipe: &Recipe, old: Option<&Container>) -> Option<Previous> {
    let old = old?;
    if old.image == recipe.image_id.as_str() {
        return Previous::of(old).or_else(|| Some(Previous::from(old)));
    }
    Some(Previous::from(old))
}
