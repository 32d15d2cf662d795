//! On a swarm: the candidate service is removed, and this very program runs on every node, as a job.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::swarm::Node;
use step::engine::swarm::service::Service;
use step::engine::swarm::task::Task;
use step::host::lock::Lock;
use step::model::image_ref::digest;
use step::model::name::{Name, Names};
use step::recipe::{Previous, Recipe};
use step::terminal::spinner::{status, waiting};
use step::terminal::{progress, warn};
use step::text::printable;

use crate::args::Args;
use crate::failure::Failure;
use crate::report::{Left, OnNode, Report};

/// How long the nodes may take together.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(300);
/// More lines than a report has, which is one.
const LINES: usize = 20;
/// What the program needs of its node: the engine's command line tool with its libraries, and the engine's socket
/// and the locks.
const OF_THE_NODE: [(&str, &str); 4] = [
    ("/usr", ",readonly"),
    ("/lib", ",readonly"),
    ("/lib64", ",readonly"),
    ("/run", ""),
];

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    engine.manager()?;
    let mut report = Report {
        app: Some(app.clone()),
        container: Some(live.clone()),
        dry_run: args.dry_run,
        ..Report::default()
    };
    if args.candidate {
        remove_candidate(&engine, args, live, &names, &mut report)?;
    }
    // The one image that every node has, or can have.
    match engine.service(&names.live)? {
        Some(service) => report.nodes = on_all_nodes(&engine, args, app, &service)?,
        None => progress("prune-app: no service is live, so nothing is done on the nodes"),
    }
    let failed = report
        .nodes
        .iter()
        .filter_map(|it| Some((it, it.error.as_ref()?)));
    let left = failed.map(|(node, why)| Left {
        what: format!("node {} ({})", node.node, node.hostname),
        why: why.clone(),
    });
    report.not_removed.extend(left.collect::<Vec<_>>());
    if report.not_removed.is_empty() {
        return Ok(report);
    }
    for left in &report.not_removed {
        warn(&format!("prune-app: {}: {}", left.what, left.why));
    }
    Err(Failure::NotRemoved(Box::new(report)))
}

fn remove_candidate(
    engine: &Engine,
    args: &Args,
    live: &Name,
    names: &Names,
    report: &mut Report,
) -> Result<(), Failure> {
    let lock = Lock::if_no_promotion(live).map_err(CommonFailure::NoLock)?;
    let Some(candidate) = engine.service(&names.candidate)? else {
        return Ok(());
    };
    let name = names.candidate.clone();
    let mut meant = args.candidate_id.iter();
    let newer = Recipe::of_service(&candidate).and_then(|it| it.newer_than(args.deploy_id));
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

fn on_all_nodes(
    engine: &Engine,
    args: &Args,
    app: &Name,
    live: &Service,
) -> Result<Vec<OnNode>, Failure> {
    let nodes = engine.nodes()?;
    let name = format!("{}-prune", live.name());
    if let Some(left_over) = engine.service(&name)? {
        engine.remove_service(&left_over.id)?;
    }
    let words = words(args, app, live, &name)?;
    let _wait = waiting("prune-app: pruning on every node");
    let reply = engine.create_service(&words, "/")?;
    let reply = reply.success()?;
    let done = engine
        .service(&name)
        .map_err(Failure::from)
        .and_then(|job| match job {
            Some(job) => until_ended(engine, &job, &nodes),
            None => Err(reply.failure().into()),
        });
    engine.remove_service(&name)?;
    done
}

fn words(args: &Args, app: &Name, live: &Service, name: &str) -> Result<Vec<String>, Failure> {
    let program = std::env::current_exe().map_err(CommonFailure::NoLock)?;
    let mut words = vec![
        format!("--name={name}"),
        "--mode=global-job".to_owned(),
        "--restart-condition=none".to_owned(),
        "--user=0".to_owned(),
        "--no-healthcheck".to_owned(),
        "--env=DOCKER_HOST=unix:///run/docker.sock".to_owned(),
        "--env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin".to_owned(),
        format!(
            "--mount=type=bind,source={},target=/prune-app,readonly",
            program.display()
        ),
        "--entrypoint=/prune-app".to_owned(),
    ];
    let there = OF_THE_NODE
        .iter()
        .filter(|(folder, _)| Path::new(folder).exists());
    words
        .extend(there.map(|(folder, how)| {
            format!("--mount=type=bind,source={folder},target={folder}{how}")
        }));
    words.push(live.image().to_owned());
    words.extend([
        "--quiet".to_owned(),
        format!("--app={app}"),
        format!("--keep={}", args.keep),
    ]);
    words.extend(
        args.identity
            .container
            .iter()
            .map(|it| format!("--container={it}")),
    );
    let previous = Previous::of_service(live);
    let previous = previous.and_then(|it| digest(&it.recipe?.digest?).ok());
    words.extend(previous.map(|digest| format!("--previous={digest}")));
    words.extend(args.repo.iter().map(|repo| format!("--repo={repo}")));
    words.extend(args.dry_run.then(|| "--dry-run".to_owned()));
    Ok(words)
}

fn until_ended(engine: &Engine, job: &Service, nodes: &[Node]) -> Result<Vec<OnNode>, Failure> {
    let end = Instant::now() + PATIENCE;
    let up = nodes.iter().filter(|node| node.takes_tasks()).count();
    loop {
        let tasks = engine.tasks(job)?;
        let ended = tasks.iter().filter(|task| task.has_ended()).count();
        status(&format!("{ended} of {up} nodes are done"));
        if ended >= up || Instant::now() > end {
            let by_node = tasks.iter().map(|task| (task.node.as_str(), task));
            let by_node: BTreeMap<&str, &Task> = by_node.collect();
            let all = nodes
                .iter()
                .map(|node| said(engine, node, by_node.get(node.id.as_str())));
            return Ok(all.collect());
        }
        thread::sleep(PAUSE);
    }
}

fn said(engine: &Engine, node: &Node, task: Option<&&Task>) -> OnNode {
    let output = task.filter(|task| task.has_ended());
    let output = output.map_or_else(String::new, |task| engine.task_output(&task.id, LINES));
    let mut lines = output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let report: Option<Value> = lines.next();
    let good = report.as_ref().is_some_and(|report| report["ok"] == true);
    let why = || match (&report, task) {
        (Some(report), _) => {
            let said = report["error"]["message"].as_str();
            printable(said.unwrap_or("its report is malformed"), 300)
        }
        (None, Some(task)) => format!("{} {}", task.why(), printable(&output, 200)),
        (None, None) => format!("it is {}", node.standing()),
    };
    OnNode {
        node: node.id.clone(),
        hostname: printable(&node.hostname, 100),
        error: (!good).then(why),
        report,
    }
}
