//! What must be true before anything is touched.

pub(crate) mod ports;

use std::time::Duration;

use step::engine::container::Container;
use step::health::poll::{await_health, probe_once};
use step::health::target::{By, Target};
use step::health::{ProbeConfig, RetryPolicy, Unhealthy};
use step::ownership::Marked;
use step::ownership::marks::{recipe_of, replaces_another};
use step::recipe::{Condition, Recipe};
use step::terminal::spinner::waiting;

use crate::failure::Failure;
use crate::failure::way_out::WayOut;
use crate::network::{self, wanted};
use crate::promotion::Promotion;

/// The candidate was healthy a moment ago; it is given this long to show it again.
const ONCE_MORE: Duration = Duration::from_secs(5);

/// Asked under the lock, so that no newer deployment can go live in between.
pub(crate) fn not_overtaken<T: Marked>(candidate: &T, live: Option<&T>) -> Result<(), Failure> {
    let deploy_id = candidate.marks().and_then(|it| it.recipe.deploy_id);
    let newer = live.and_then(|live| live.marks()?.recipe.newer_than(deploy_id));
    match deploy_id.zip(newer) {
        Some((deploy_id, newer)) => Err(Failure::Overtaken { deploy_id, newer }),
        None => Ok(()),
    }
}

/// Where only what was left unfinished is to be finished, nothing is begun.
pub(crate) fn may_begin(promotion: &Promotion<'_>) -> Result<(), Failure> {
    if !promotion.args.unfinished {
        return Ok(());
    }
    let live = &promotion.names.live;
    let nothing = format!("no promotion of {live} is unfinished");
    Err(Failure::NoCandidate(nothing, WayOut::Start))
}

/// The candidate was started beside what is live now: only of that it is known what the next release takes over.
pub(crate) fn beside_live(candidate: &Container, live: Option<&Container>) -> Result<(), Failure> {
    if live.is_some_and(|live| replaces_another(candidate, live)) {
        let name = candidate.name();
        let strange = format!(
            "{name} was started beside another container than the one that is live now: start it again"
        );
        return Err(Failure::NoCandidate(strange, WayOut::Restart));
    }
    Ok(())
}

/// The candidate is the one that was probed, runs, and is healthy now.
pub(crate) fn check(promotion: &Promotion<'_>, candidate: &Container) -> Result<Recipe, Failure> {
    let (args, name) = (promotion.args, candidate.name());
    let no = |why: String, way| Err(Failure::NoCandidate(why, way));
    let replace = || WayOut::Replace(name.to_owned());
    let mut meant = args.handoff.candidate_id.iter();
    if meant.any(|id| *id != candidate.id) {
        let other = format!("{name} is another container than the one that was probed");
        return no(other, WayOut::Probe);
    }
    let Some(recipe) = recipe_of(candidate) else {
        let strange = format!("{name} carries no recipe: start-candidate has not made it");
        return no(strange, WayOut::Restart);
    };
    let target = Target::container(candidate, &args.probe_config(Some(&recipe)), By::HostPort);
    let target = target.map_err(|why| {
        Failure::NoCandidate(format!("{name} cannot be probed: {why}"), WayOut::Reach)
    })?;
    let _wait = waiting(format!(
        "promote: probing {name} at {} once more",
        target.shown
    ));
    let policy = RetryPolicy::of(ONCE_MORE);
    match await_health(Some(&promotion.engine), &target, &policy) {
        Ok(_) => Ok(recipe),
        Err(Unhealthy::Engine(error)) => Err(error.into()),
        Err(Unhealthy::Interrupted) => Err(Failure::Interrupted(promotion.names.live.clone())),
        Err(Unhealthy::Gone | Unhealthy::Crashed(..)) => {
            no(format!("{name} does not run any more"), replace())
        }
        Err(Unhealthy::NotInTime(proof)) => no(
            format!(
                "{name} is not healthy now, the last attempt saw: {}",
                proof.saw()
            ),
            replace(),
        ),
    }
}

/// The final container will have an address at which it can be verified, without the candidate's port on loopback.
pub(crate) fn verifiable(
    promotion: &Promotion<'_>,
    candidate: &Container,
    recipe: &Recipe,
) -> Result<(), Failure> {
    let config = promotion.args.probe_config(Some(recipe));
    Target::foreseen(candidate, &config, &recipe.tcp()).map_err(Failure::NotVerifiable)
}

/// The host ports that the final container wants are free, or the live container's own.
pub(crate) fn ports_free(
    promotion: &Promotion<'_>,
    recipe: &Recipe,
    live: Option<&Container>,
) -> Result<(), Failure> {
    let Some(taken) = ports::taken(&promotion.engine, &recipe.publish, live)? else {
        return Ok(());
    };
    let on_hosts = live.filter(|live| live.host_config.is_on_hosts_network());
    Err(match on_hosts.filter(|_| taken.by.is_none()) {
        Some(live) => Failure::PortOfHost {
            port: taken.port,
            live: live.name().to_owned(),
        },
        None => Failure::PortTaken {
            by: taken.who(),
            port: taken.port,
            evidence: Box::default(),
        },
    })
}

/// Gives the candidate the app's name and all others by which clients may call it, on all networks where they do, and
/// proves it once more.
pub(crate) fn share_names(
    promotion: &Promotion<'_>,
    candidate: Container,
    recipe: &Recipe,
    live: &Container,
) -> Result<Container, Failure> {
    let (engine, name) = (&promotion.engine, live.name());
    let wanted = wanted::wanted(&recipe.options, Some(live), name, candidate.is_podman());
    let mut shared = wanted::also_named(wanted::without_addresses(wanted), name);
    // Elsewhere nobody has called the app so far.
    shared.retain(|place| live.network_settings.networks.contains_key(&place.network));
    if !network::give(engine, &candidate, &shared)? {
        return Ok(candidate);
    }
    let name = candidate.name().to_owned();
    let again = engine.container(&candidate.id)?;
    let again = again.ok_or_else(|| {
        Failure::NoCandidate(format!("{name} does not exist any more"), WayOut::Start)
    })?;
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
        ..args.probe_config(recipe_of(live).as_ref())
    };
    let target = Target::container(live, &config, By::HostPort);
    let healthy = live.state.up() && target.is_ok_and(|target| probe_once(&target).is_ok());
    if healthy {
        Condition::Healthy
    } else {
        Condition::Sick
    }
}
