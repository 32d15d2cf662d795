//! Candidates that do not start, are interrupted, or whose engine hangs: nothing is left behind.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use stage::cargo;
use stage::docker::docker;
use stage::ground::on_podman;

use super::nothing_left;
use crate::runs::finish;
use crate::support::{App, Fault, failed, ok};

#[test]
fn a_program_that_is_not_there_is_24_and_leaves_neither_container_nor_volume() {
    let app = App::new("entry");
    let image = app.build("v1");
    let noted = tempfile::NamedTempFile::new().unwrap();
    let note = format!(
        "docker inspect -f '{{{{(index .Mounts 0).Name}}}}' {} > {}",
        app.scope.candidate(),
        noted.path().display()
    );
    let options = ["-v", "/data", "--entrypoint", "/no/such/program"];
    let flags = [&["--image", &image.name, "--"], &options[..]].concat();
    let run = finish(app.faulty("start-candidate", Fault::After("create", &note), &flags));
    let report = failed(&run, 24, "not_started");
    assert_eq!(report["candidate"], app.scope.candidate());
    let code = report.get("exit_code").and_then(Value::as_i64);
    // Podman keeps none for a program that never ran.
    assert_eq!(code, (!on_podman()).then_some(127));
    nothing_left(&app);
    let volume = std::fs::read_to_string(noted.path()).unwrap();
    assert_eq!(volume.trim().len(), 64, "{volume}");
    assert!(docker(["volume", "inspect", volume.trim()]).is_err());
}

#[test]
fn a_program_that_may_not_run_a_user_and_a_network_that_are_not_there_are_24() {
    let app = App::new("nostart");
    let image = app.build("v1");
    for options in [
        ["--entrypoint", "/padding"],
        ["--user", "nobody-such"],
        ["--network", "no-such-network"],
    ] {
        let flags = [&["--image", &image.name, "--"], &options[..]].concat();
        // Podman looks for networks as it creates.
        let (code, kind) = if on_podman() && options[0] == "--network" {
            (22, "option_refused")
        } else {
            (24, "not_started")
        };
        failed(&app.step("start-candidate", &flags), code, kind);
        nothing_left(&app);
    }
}

#[test]
fn a_program_that_ends_at_once_has_started_and_is_the_probes_business() {
    let app = App::new("ends");
    app.start(&app.build("v1"), &["-e", "CRASH=1"]);
    let report = failed(&app.step("probe-health", &[]), 32, "crashed");
    assert!(report.to_string().contains("told to crash"), "{report}");
}

/// A start during which something happens at one of the engine's calls.
fn faulty(app: &App, at: &str, when: &str, script: &str) -> Command {
    let image = app.build("v1");
    let mut command = app.command("start-candidate", &["--image", &image.name]);
    let docker = cargo::steps().unwrap().join("faulty-docker");
    command.arg("--docker").arg(docker);
    command.env("DEPLOY_STEPS_FAULT_AT", at).env(when, script);
    command
}

#[test]
fn a_start_that_is_interrupted_is_7_and_undone() {
    for at in ["create", "start"] {
        let app = App::new("term");
        let command = faulty(&app, at, "DEPLOY_STEPS_FAULT_AFTER", "kill -TERM $CALLER");
        let run = finish(command);
        let report = failed(&run, 7, "interrupted");
        assert_eq!(report["candidate"], app.scope.candidate());
        nothing_left(&app);
    }
}

#[test]
fn a_lost_terminal_does_not_end_a_start() {
    let app = App::new("hup");
    ok(&finish(faulty(
        &app,
        "create",
        "DEPLOY_STEPS_FAULT_AFTER",
        "kill -HUP $CALLER",
    )));
    assert_eq!(app.container("-new").unwrap()["State"]["Running"], true);
}

#[test]
fn a_call_that_hangs_is_5_and_what_it_did_is_undone() {
    for (at, when) in [
        ("container inspect", "DEPLOY_STEPS_FAULT_BEFORE"),
        ("create", "DEPLOY_STEPS_FAULT_BEFORE"),
        ("create", "DEPLOY_STEPS_FAULT_AFTER"),
        ("start", "DEPLOY_STEPS_FAULT_AFTER"),
    ] {
        let app = App::new("hang");
        let mut command = faulty(&app, at, when, "sleep 60");
        command.args(["--engine-timeout", "5s"]);
        let started = Instant::now();
        failed(&finish(command), 5, "engine_timeout");
        assert!(started.elapsed() < Duration::from_secs(55), "{at} {when}");
        nothing_left(&app);
    }
}

#[test]
fn an_image_that_is_pruned_before_its_container_is_created_is_20() {
    let app = App::new("pruned");
    let remove = format!("docker image rm {}:v1", app.name());
    let run = finish(faulty(&app, "create", "DEPLOY_STEPS_FAULT_BEFORE", &remove));
    failed(&run, 20, "image_absent");
    nothing_left(&app);
}

#[test]
fn a_container_that_vanishes_between_two_calls_is_24() {
    let app = App::new("vanish");
    let remove = format!("docker rm -f {}", app.scope.candidate());
    let run = finish(faulty(&app, "create", "DEPLOY_STEPS_FAULT_AFTER", &remove));
    failed(&run, 24, "not_started");
    nothing_left(&app);
}
