//! A candidate that has served clients ends as `docker stop` ends it: what it has accepted it may finish.

use std::time::UNIX_EPOCH;

use stage::docker::docker;
use stage::ground::on_podman;
use stage::skipped::skip;

use super::{bridged, lacks_bridge};
use crate::resume::KILLED;
use crate::support::{App, Fault, failed, ok};

/// A container that got no signal but SIGKILL.
const BY_FORCE: &str = "137";

/// How candidates of the app have ended so far: an exit code each.
fn ends(app: &App) -> Vec<String> {
    let now = UNIX_EPOCH.elapsed().unwrap();
    // In whole seconds it would leave out what has just been.
    let until = format!("--until={}.{:09}", now.as_secs(), now.subsec_nanos());
    let events = [
        "events",
        "--since=15m",
        &until,
        "--filter=event=die",
        "--format={{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}",
    ];
    let said = docker(events).unwrap();
    let ended = said.lines().filter_map(|line| line.split_once(' '));
    let candidate = app.scope.candidate();
    ended
        .filter(|(name, _)| *name == candidate)
        .map(|(_, code)| code.to_owned())
        .collect()
}

fn cannot_tell() -> bool {
    if on_podman() {
        skip("podman tells in other words how a container ended");
    }
    on_podman() || lacks_bridge()
}

/// A live release, and another one to deploy.
fn two(prefix: &str) -> (App, [stage::image::Built; 2]) {
    let app = App::new(prefix);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    (app, [v1, v2])
}

#[test]
fn after_a_swap_it_is_told_to_end_although_nobody_is_connected() {
    if cannot_tell() {
        return;
    }
    let (app, [_, v2]) = two("ends");
    bridged(&app, &v2, &[]);
    assert_eq!(ends(&app)[1..], ["0"]);
}

#[test]
fn where_promote_was_killed_it_is_told_to_end_by_whoever_resumes() {
    if cannot_tell() {
        return;
    }
    for how in [&[][..], &["--bridge", "off"]] {
        let (app, [_, v2]) = two("ends-late");
        app.candidate(&v2, &[]);
        let fault = Fault::After("start", "kill -KILL $CALLER");
        assert_eq!(app.promote_with(fault, &[]).code, KILLED);
        ok(&app.promote(how));
        assert_eq!(ends(&app)[1..], ["0"], "{how:?}");
    }
}

#[test]
fn after_a_rollback_it_runs_on_and_is_told_to_end_when_it_is_removed_or_replaced() {
    if cannot_tell() {
        return;
    }
    let (app, [v1, v2]) = two("ends-back");
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("{}:/flags:ro", folder.path().display());
    let crash = format!("touch {}/on", folder.path().display());
    let publish = format!("{}:8080", app.port);
    let replace = ["--image", &v1.name, "--publish", &publish, "--replace"];
    for (n, remove) in [
        ("prune-app", &["--candidate"][..]),
        ("start-candidate", &replace),
    ] {
        let before = ends(&app).len();
        app.candidate(&v2, &["-v", &mount, "-e", "CRASH_FILE=/flags/on"]);
        let run = app.promote_with(Fault::Before("start", &crash), &[]);
        failed(&run, 41, "rolled_back_unhealthy");
        assert_eq!(ends(&app).len(), before);
        std::fs::remove_file(folder.path().join("on")).unwrap();
        ok(&app.step(n, remove));
        assert_eq!(ends(&app)[before..], ["0"], "{n}");
    }
    assert!(!ends(&app).iter().skip(1).any(|it| it == BY_FORCE));
}
