//! What must be true before anything is touched.

pub(crate) mod ports;

use std::time::Duration;

use step::engine::container::Container;
use step::health::poll::{await_health, probe_once};
use step::health::target::{By, Target};
use step::health::{ProbeConfig, RetryPolicy, Unhealthy};
use step::recipe::{Condition, Recipe};
use step::terminal::spinner::waiting;

use crate::failure::Failure;
use crate::network;
use crate::promotion::Promotion;

/// The candidate was healthy a moment ago; it is given this long to show it again.
const ONCE_MORE: Duration = Duration::from_secs(5);

/// Asked under the lock, so that no newer deployment can go live in between.
pub(crate) fn not_overtaken(
    candidate: &Container,
    live: Option<&Container>,
) -> Result<(), Failure> {
    let deploy_id = Recipe::of(candidate).and_then(|recipe| recipe.deploy_id);
    let newer = live.and_then(|live| Recipe::newer(live, deploy_id));
    match deploy_id.zip(newer) {
        Some((deploy_id, newer)) => Err(Failure::Overtaken { deploy_id, newer }),
        None => Ok(()),
    }
}

/// The candidate is the one that was probed, runs, and is healthy now.
pub(crate) fn check(promotion: &Promotion<'_>, candidate: &Container) -> Result<Recipe, Failure> {
    let (args, name) = (promotion.args, candidate.name());
    let no = |why: String| Err(Failure::NoCandidate(why));
    if args
        .handoff
        .candidate_id
        .as_ref()
        .is_some_and(|id| *id != candidate.id)
    {
        return no(format!(
            "{name} is another container than the one that was probed"
        ));
    }
    let Some(recipe) = Recipe::of(candidate) else {
        return no(format!(
            "{name} carries no recipe: start-candidate has not made it"
        ));
    };
    let target = Target::container(candidate, &args.probe_config(Some(&recipe)), By::HostPort);
    let target =
        target.map_err(|why| Failure::NoCandidate(format!("{name} cannot be probed: {why}")))?;
    let _wait = waiting(format!(
        "promote: probing {name} at {} once more",
        target.shown
    ));
    match await_health(
        Some(&promotion.engine),
        &target,
        &RetryPolicy::of(ONCE_MORE),
    ) {
        Ok(_) => Ok(recipe),
        Err(Unhealthy::Engine(error)) => Err(error.into()),
        Err(Unhealthy::Interrupted) => Err(Failure::Interrupted(promotion.names.live.clone())),
        Err(Unhealthy::Gone | Unhealthy::Crashed(..)) => {
            no(format!("{name} does not run any more"))
        }
        Err(Unhealthy::NotInTime(proof)) => no(format!(
            "{name} is not healthy now, the last attempt saw: {}",
            proof.saw()
        )),
    }
}

/// The new container will have an address at which it can be verified, without the candidate's port on loopback.
pub(crate) fn provable(
    promotion: &Promotion<'_>,
    candidate: &Container,
    recipe: &Recipe,
) -> Result<(), Failure> {
    let config = promotion.args.probe_config(Some(recipe));
    Target::foreseen(candidate, &config, &recipe.publish).map_err(Failure::NotProvable)
}

/// The host ports that the new container wants are free, or the live container's own.
pub(crate) fn ports_free(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    live: Option<&Container>,
) -> Result<(), Failure> {
    match ports::taken(&promotion.engine, &recipe.publish, live)? {
        Some(port) => Err(Failure::PortTaken {
            port,
            evidence: Box::default(),
        }),
        None => Ok(()),
    }
}

/// Gives the candidate the app's name where clients may call it by that, and proves it once more.
pub(crate) fn share_name(
    promotion: &Promotion<'_>,
    candidate: Container,
    live: &Container,
) -> Result<Container, Failure> {
    let engine = &promotion.engine;
    if !network::share_name(engine, &candidate, live)? {
        return Ok(candidate);
    }
    let name = candidate.name().to_owned();
    let again = engine.container(&candidate.id)?;
    let again =
        again.ok_or_else(|| Failure::NoCandidate(format!("{name} does not exist any more")))?;
    check(promotion, &again)?;
    Ok(again)
}

/// Whether the live container passes the same probe; if not, a rollback need not ask it to.
pub(crate) fn condition(promotion: &Promotion<'_>, live: &Container) -> Condition {
    if !live.state.running {
        return Condition::Down;
    }
    let args = promotion.args;
    let config = ProbeConfig {
        timeout: Duration::from_secs(1),
        ..args.probe_config(Recipe::of(live).as_ref())
    };
    let target = Target::container(live, &config, By::HostPort);
    let healthy = live.state.up() && target.is_ok_and(|target| probe_once(&target).is_ok());
    if healthy {
        Condition::Healthy
    } else {
        Condition::Sick
    }
}
