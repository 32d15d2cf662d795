//! On a swarm: the candidate service is removed, and this node's images as without a swarm.
//!
//! A job on every node would run in the app's image with the node's engine in its hands: whatever is in that image would
//! be root on every node. So each node cleans itself, by a timer or by hand, and the report says what is to be run there.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::swarm::service::Service;
use step::model::image_ref::digest;
use step::model::name::Name;
use step::ownership::Owned;
use step::ownership::marks::Marks;
use step::terminal::progress;
use step::text::printable;

use crate::args::Args;
use crate::failure::Failure;
use crate::images;
use crate::report::{Left, OnNode, Report};

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    let here = engine.manager()?;
    let mut report = Report::begin(app, live, args.dry_run);
    if args.candidate {
        remove_candidate(&engine, args, app, live, &mut report)?;
    }
    let service = engine.service(&names.live)?;
    let previous = service.as_ref().and_then(previous_of);
    let previous = args.previous.clone().or(previous);
    images::remove(&engine, args, app, &names, previous.as_deref(), &mut report)?;
    let run = command(args, app, previous.as_deref());
    let nodes = engine.nodes()?.into_iter();
    let others = nodes.filter(|node| node.id != here).map(|node| OnNode {
        hostname: printable(&node.hostname, 100),
        node: node.id,
        run: run.clone(),
    });
    report.nodes = others.collect();
    if !report.nodes.is_empty() {
        let count = report.nodes.len();
        progress(&format!(
            "prune-app: {count} other nodes keep their images until they run `{run}`"
        ));
    }
    report.told()
}

/// The digest of the release that the live one replaced: by its id no other node knows it.
fn previous_of(live: &Service) -> Option<String> {
    digest(&Marks::of_service(live)?.previous?.recipe?.digest?).ok()
}

/// What does the same on a node that manages nothing.
fn command(args: &Args, app: &Name, previous: Option<&str>) -> String {
    let mut words = vec![format!("prune-app --app {app} --keep {}", args.keep)];
    let container = args.identity.container.iter();
    words.extend(container.map(|it| format!("--container {it}")));
    words.extend(args.repo.iter().map(|it| format!("--repo {it}")));
    words.extend(previous.map(|it| format!("--previous {it}")));
    words.join(" ")
}

fn remove_candidate(
    engine: &Engine,
    args: &Args,
    app: &Name,
    live: &Name,
    report: &mut Report,
) -> Result<(), Failure> {
    let lock = engine.lock_if_no_promotion(live)?;
    let found = Owned::read_services(engine, app, live).map_err(CommonFailure::from)?;
    let Some(candidate) = found.candidate else {
        return Ok(());
    };
    let name = candidate.name().to_owned();
    let mut meant = args.candidate_id.iter();
    let newer = Marks::of_service(&candidate).and_then(|it| it.recipe.newer_than(args.deploy_id));
    if newer.is_some() || meant.any(|id| *id != candidate.id) {
        progress(&format!(
            "prune-app: {name} is another deployment's by now, it stays"
        ));
    } else if lock.is_none() {
        let why = "a promotion is running".to_owned();
        report.not_removed.push(Left { what: name, why });
    } else {
        if !args.dry_run {
            engine.remove_service(&candidate.id)?;
            progress(&format!("prune-app: removed the service {name}"));
        }
        report.containers_removed.push(name);
    }
    Ok(())
}
