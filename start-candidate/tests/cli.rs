//! What is start-candidate's own in its contract; what all steps promise is tested once, with the engine.
#![cfg(test)]

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::{Value, json};

/// The step, free of what this environment happens to set and without an engine.
fn start_candidate(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("start-candidate");
    command.env_clear().env("PATH", "").args(args);
    command
}

fn report(command: &mut Command, code: i32) -> Value {
    let done = command.assert().code(code);
    let stdout = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert_eq!(stdout.matches('\n').count(), 1, "{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

fn failed(command: &mut Command, code: i32, kind: &str) -> Value {
    let found = report(command, code);
    assert_eq!(found["step"], "start-candidate");
    assert_eq!(found["ok"], false);
    assert_eq!(found["error"]["code"], code);
    assert_eq!(found["error"]["kind"], kind);
    assert!(found["took_ms"].is_u64(), "{found}");
    found
}

const GOOD: [&str; 4] = ["--app", "web", "--image", "web:v1"];

#[test]
fn usage_errors_are_2_with_nothing_on_stdout() {
    let alone: &[&[&str]] = &[
        &[],
        &["--app", "web"],
        &["--image", "web:v1"],
        &["--previous"],
        &["--app", "w", "--image", "web:v1"],
        &["--app", "-web", "--image", "web:v1"],
        &["--app", "web", "--image", "Web"],
        &["--app", "web", "--image", "--rm"],
    ];
    let beside: &[&[&str]] = &[
        &["--previous"],
        &["-e", "A=b"],
        &["extra"],
        &["--publish", "80"],
        &["--publish", "80:0"],
        &["--publish", "80:8080/quic"],
        &["--publish", "80:8080", "--publish", "127.0.0.1:80:8081"],
        &["--publish", "host:80:8080"],
        &["--health-path", "health"],
        &["--health-port", "0"],
        &["--health-port", "65536"],
        &["--health-host", "a b"],
        &["--deploy-id", "-1"],
        &["--deploy-id", "one"],
        &["--engine-timeout", "soon"],
        &["--container", "a/b"],
        &["--replace", "--replace"],
        &["--like-live", "--previous"],
        &["--like-live", "--swarm"],
    ];
    let beside = beside.iter().map(|args| [&GOOD[..], args].concat());
    let wrong = alone.iter().map(|args| args.to_vec()).chain(beside);
    for args in wrong {
        let done = start_candidate(&args).assert().code(2);
        done.stdout("").stderr(predicate::str::contains("--help"));
    }
}

#[test]
fn a_usage_error_does_not_repeat_the_values_of_run_options() {
    for option in ["--env=A=hunter2", "-eA=hunter2"] {
        let done = start_candidate(&[&GOOD[..], &[option]].concat()).assert();
        done.code(2)
            .stderr(predicate::str::contains("hunter2").not());
    }
}

#[test]
fn help_shows_every_flag_and_its_own_exit_codes() {
    let done = start_candidate(&["--help"]).assert().success().stderr("");
    let said = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    for flag in [
        "--app",
        "--container",
        "--image",
        "--previous",
        "--like-live",
        "--publish",
        "--health-path",
        "--health-port",
        "--health-host",
        "--replace",
        "--allow-shared-volumes",
        "--deploy-id",
        "--from",
        "--quiet",
        "--schema",
        "--docker",
        "--engine-timeout",
        "[-- RUN OPTIONS [-- COMMAND…]]",
    ] {
        assert!(said.contains(flag), "{flag}");
    }
    let codes = said.split("Exit codes:").nth(1).unwrap();
    let numbers = codes
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let numbers: Vec<u8> = numbers.map(|number| number.parse().unwrap()).collect();
    assert_eq!(
        numbers,
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22, 23, 24, 25, 26, 27]
    );
}

#[test]
fn what_no_flag_gives_is_taken_from_the_report_or_the_environment() {
    let before = json!({"step": "pull-image", "ok": true, "app": "web", "image": "web:v1"});
    let mut command = start_candidate(&["--from", "-"]);
    failed(command.write_stdin(before.to_string()), 3, "no_docker");
    let mut command = start_candidate(&["--image", "web:v1"]);
    failed(command.env("APP_NAME", "web"), 3, "no_docker");

    let without = json!({"step": "pull-image", "ok": true, "image": "web:v1"});
    let mut command = start_candidate(&["--from", "-"]);
    let done = command.write_stdin(without.to_string()).assert();
    done.code(2)
        .stdout("")
        .stderr(predicate::str::contains("--app APP is needed"));
}

#[test]
fn values_in_the_environment_are_checked_as_well() {
    for (name, value) in [
        ("APP_NAME", "--rm"),
        ("CONTAINER_NAME", "a/b"),
        ("APP_PORT", "http"),
        ("APP_PORT", "0"),
    ] {
        let mut command = start_candidate(&["--image", "web:v1"]);
        command.env("APP_NAME", "web").env(name, value);
        command.assert().code(2).stdout("");
    }
}
