//! Waiting for health, of a container or of a URL.

use std::io;

use step::contract::failure::CommonFailure;
use step::contract::handoff::Handoff;
use step::engine::Engine;
use step::engine::container::Container;
use step::health::args::headers;
use step::health::poll::await_health;
use step::health::target::{By, Target};
use step::health::{Probed, Unhealthy};
use step::ownership::Owned;
use step::ownership::marks::{recipe_of, secrets_of};
use step::terminal::progress;
use step::terminal::spinner::waiting;

use crate::args::Args;
use crate::failure::{Failure, Seen};
use crate::report::Report;
use crate::swarm;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    if let Some(url) = &args.url {
        let mut config = args.how.probe_config(args.probe());
        if args.headers_from_stdin {
            config.headers.extend(headers_of_stdin()?);
        }
        let target = Target::url(url, &config);
        let wait = waiting(format!("probe-health: waiting for {}", target.shown));
        let proof = await_health(None, &target, &args.patience())
            .map_err(|why| failure(&target.shown, why, None))?;
        drop(wait);
        return Ok(report(args.handoff.clone(), &target, proof));
    }
    if args.common.swarm {
        return swarm::run(args);
    }
    let engine = Engine::find(&args.common.engine)?;
    if let Some(host) = engine.remote_host() {
        return Err(Failure::Elsewhere(step::text::printable(&host, 200)));
    }
    let (name, container) = find(args, &engine)?;
    let container = container.ok_or_else(|| Failure::NoContainer(name.clone()))?;
    let expected = args
        .handoff
        .candidate_id
        .as_ref()
        .filter(|_| !args.live && args.candidate.is_none());
    if expected.is_some_and(|id| *id != container.id) {
        return Err(Failure::OtherContainer(name));
    }
    probe(args, &engine, &name, &container)
}

/// Any container by its own name, or the app's by its labels.
fn find(args: &Args, engine: &Engine) -> Result<(String, Option<Container>), Failure> {
    if let Some(name) = &args.candidate {
        return Ok((name.to_string(), engine.container(name.as_str())?));
    }
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let name = args.chosen(names);
    let found = Owned::read_some(engine, app, live, &[&name]).map_err(CommonFailure::from)?;
    let container = found.named(&name);
    Ok((name, container))
}

/// Headers that stand in nobody's arguments.
fn headers_of_stdin() -> Result<Vec<(String, String)>, Failure> {
    let text = io::read_to_string(io::stdin()).map_err(|error| error.to_string());
    let read = text.and_then(|text| headers(&text));
    Ok(read.map_err(CommonFailure::Usage)?)
}

fn probe(
    args: &Args,
    engine: &Engine,
    name: &str,
    container: &Container,
) -> Result<Report, Failure> {
    let recipe = recipe_of(container);
    let planned = recipe.as_ref().map(|recipe| recipe.probe.clone());
    let probe = args.probe().or(&planned.unwrap_or_default());
    let config = args.how.probe_config(probe.clone());
    let target = Target::container(container, &config, By::HostPort);
    let target = target.map_err(|why| Failure::NoAddress(name.to_owned(), why))?;
    let wait = waiting(format!(
        "probe-health: waiting for {name} at {}",
        target.shown
    ));
    let proof = await_health(Some(engine), &target, &args.patience());
    drop(wait);
    let proof = proof.map_err(|why| failure(name, why, Some((engine, container))))?;
    progress(&format!(
        "probe-health: {name} is healthy at attempt {}",
        proof.attempts
    ));
    let image = recipe.as_ref().map(|recipe| recipe.image.clone());
    let handoff = Handoff {
        image: image.or_else(|| container.config.image.parse().ok()),
        image_id: container.image.parse().ok(),
        digest: recipe.and_then(|recipe| recipe.digest),
        probe: Some(probe),
        ..args.handed_on(name, &container.id)
    };
    Ok(report(handoff, &target, proof))
}

fn report(handoff: Handoff, target: &Target, proof: Probed) -> Report {
    Report {
        handoff,
        target: target.shown.clone(),
        attempts: proof.attempts,
        last_attempts: proof.last,
    }
}

/// The failure, with the container's last log lines.
fn failure(name: &str, why: Unhealthy, watched: Option<(&Engine, &Container)>) -> Failure {
    let seen = |last_attempts, crash| {
        let log =
            |(engine, it): (&Engine, &Container)| engine.log_tail(&it.id, 20, &secrets_of(it));
        Box::new(Seen {
            container: name.to_owned(),
            last_attempts,
            crash,
            log: watched.map(log).unwrap_or_default(),
        })
    };
    match why {
        Unhealthy::NotInTime(proof) => Failure::NotHealthy(proof.attempts, seen(proof.last, None)),
        Unhealthy::Crashed(crash, last) => Failure::Crashed(seen(last, Some(crash))),
        Unhealthy::Gone => Failure::NoContainer(name.to_owned()),
        Unhealthy::Interrupted => Failure::Interrupted(name.to_owned()),
        Unhealthy::Engine(error) => error.into(),
    }
}
