//! The final container: created in advance from the candidate's recipe, so that only its start is left.

use step::engine::complaint::refusal;
use step::engine::container::Container;
use step::model::places::without_aliases;
use step::ownership::marks::{MadeAs, Marks};
use step::ownership::way_back::replaced;
use step::recipe::values::{Filled, secrets_of_options};
use step::recipe::{Previous, Recipe};

use super::{Old, compose, drift};
use crate::failure::{Evidence, Failure};
use crate::network;
use crate::network::wanted::{wanted, without_names};
use crate::promotion::Promotion;
use crate::restart::RestartPolicy;

/// What the final container is created of.
struct Wanted<'a> {
    promotion: &'a Promotion<'a>,
    marks: Marks,
    filled: Filled,
    /// Labels that the candidate does not have.
    labels: Vec<String>,
    on_podman: bool,
    policy: RestartPolicy,
}

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
    let log = candidate.host_config.log_options();
    let filled = Filled::like(&recipe.options, &candidate.variables(), log);
    let wanted = Wanted {
        promotion,
        marks: marks(promotion, recipe, candidate, old),
        filled: filled.map_err(|why| not_started(&why.to_string()))?,
        labels: compose::labels(promotion, old)?,
        on_podman: candidate.is_podman(),
        policy: promotion.args.restart_after(old.map(|old| &old.container)),
    };
    let (mut next, mut seen) = wanted.made(&candidate.config.image)?;
    if matches!(&seen, Ok(created) if created.image != candidate.image) {
        // A tag may have become another image's since, which an id never does.
        promotion.engine.remove_with_volumes(&[&next])?;
        (next, seen) = wanted.made(&candidate.image)?;
    }
    let fit = seen.and_then(|created| check_and_place(promotion, recipe, candidate, old, &created));
    if fit.is_err() {
        promotion.engine.remove_with_volumes(&[&next])?;
    }
    fit.map(|()| next)
}

impl Wanted<'_> {
    /// Makes it of the image that is called so, and looks at it.
    fn made(&self, image: &str) -> Result<(String, Result<Container, Failure>), Failure> {
        let promotion = self.promotion;
        let mut next = self.create(image, &self.labels)?;
        if self.on_podman && !able_to_restart(promotion, &next, self.policy)? {
            promotion.engine.remove_with_volumes(&[&next])?;
            let policy = format!("--restart={}", self.policy);
            next = self.create(image, &[&self.labels[..], &[policy]].concat())?;
        }
        let seen = look(promotion, &next);
        Ok((next, seen))
    }

    /// Creates it without a restart policy, which it gets when it is verified: after a power loss the
    /// engine must bring back the old container, not this one.
    fn create(&self, image: &str, more: &[String]) -> Result<String, Failure> {
        let Promotion { engine, names, .. } = self.promotion;
        let (recipe, filled) = (&self.marks.recipe, &self.filled);
        let ports = recipe.publish.iter();
        let ports = ports.map(|publish| format!("--publish={publish}"));
        let own = ports
            .chain(self.marks.options())
            .chain(more.iter().cloned());
        let own: Vec<String> = own.collect();
        let nameless = without_aliases(&filled.options);
        let words = |image: &str| recipe.words(&names.next, &own, &nameless, image);
        let image = (image, recipe.image_id.as_str());
        let reply = engine.create_by(image, words, &filled.environment, &recipe.folder);
        let remove_unknown = || remove_unknown(self.promotion, &self.marks);
        let reply = reply.inspect_err(|_| remove_unknown())?;
        if reply.engine_is_away() {
            return Err(reply.failure().into());
        }
        if reply.code != Some(0) {
            let secrets = secrets_of_options(&filled.options, &recipe.command);
            let said = refusal(&reply.stderr, &filled.options, &recipe.folder, &secrets).said;
            return Err(not_started(&said));
        }
        Ok(reply.id().inspect_err(|_| remove_unknown())?)
    }
}

fn look(promotion: &Promotion<'_>, next: &str) -> Result<Container, Failure> {
    let created = promotion.engine.container(next)?;
    created.ok_or_else(|| Failure::NotVerified("its existence".to_owned()))
}

/// Sees that it is what was verified, and puts it on those networks of the old one that nobody gave again. It gets the
/// names there when it is verified; what has a fixed address does not run by then.
fn check_and_place(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    candidate: &Container,
    old: Option<&Old>,
    created: &Container,
) -> Result<(), Failure> {
    drift::check(candidate, created)?;
    let (live, old) = (promotion.live.as_str(), old.map(|old| &old.container));
    let wanted = wanted(&recipe.options, old, live, created.is_podman());
    network::give(&promotion.engine, created, &without_names(wanted))?;
    Ok(())
}

/// Podman 4 cannot give it a restart policy later, only at its creation.
fn able_to_restart(
    promotion: &Promotion<'_>,
    next: &str,
    policy: RestartPolicy,
) -> Result<bool, Failure> {
    Ok(policy == RestartPolicy::No || promotion.engine.changes_restart(next)?)
}

/// What it says of where it comes from.
fn marks(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    candidate: &Container,
    old: Option<&Old>,
) -> Marks {
    let previous = old.map(|old| Previous {
        condition: old.was,
        ..replaced(recipe, &old.container, &candidate.variables())
    });
    let (app, live) = (promotion.app, promotion.live);
    Marks {
        replaces: old.map(|old| old.container.id.clone()),
        candidate: Some(candidate.id.clone()),
        previous,
        ..Marks::new(app, live, MadeAs::Final, recipe.clone())
    }
}

fn not_started(why: &str) -> Failure {
    Failure::NotStarted {
        message: format!("the final container could not be created: {why}"),
        evidence: Box::<Evidence>::default(),
    }
}

/// What a call whose answer is lost may have created all the same.
fn remove_unknown(promotion: &Promotion<'_>, marks: &Marks) {
    let engine = &promotion.engine;
    if let Ok(Some(found)) = engine.container(&promotion.names.next)
        && marks.are_among(&found.config.labels)
    {
        // That call is what the caller must hear of; what stays is found by the next promotion.
        let _ = engine.remove_with_volumes(&[&found.id]);
    }
}
