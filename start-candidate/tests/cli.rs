//! The contract of start-candidate where there is no engine.
#![cfg(test)]

use std::fs::{self, File};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::{Value, json};

/// The step, free of what this environment happens to set and without an engine.
fn start_candidate(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("start-candidate");
    for name in [
        "CONTAINER_NAME",
        "APP_NAME",
        "APP_PORT",
        "MAX_RETRIES",
        "RETRY_INTERVAL",
        "DEPLOY_STEPS_DOCKER",
        "DEPLOY_STEPS_DEPLOY_ID",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
    ] {
        command.env_remove(name);
    }
    command.env("PATH", "").args(args);
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
        &["--publish", "80:8080/udp"],
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
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22, 23, 24, 25, 26]
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

#[test]
fn the_version_is_said() {
    let version = concat!("start-candidate ", env!("CARGO_PKG_VERSION"), "\n");
    let done = start_candidate(&["--version"]).assert().success();
    done.stdout(version).stderr("");
}

#[test]
fn help_never_shows_what_the_environment_holds() {
    let mut command = start_candidate(&["--help"]);
    for name in [
        "APP_NAME",
        "CONTAINER_NAME",
        "APP_PORT",
        "DEPLOY_STEPS_DOCKER",
        "DEPLOY_STEPS_DEPLOY_ID",
    ] {
        command.env(name, "hunter2");
    }
    let done = command.assert().success();
    done.stdout(predicate::str::contains("hunter2").not());
}

#[test]
fn no_docker_is_3_with_one_line() {
    for docker in [
        &[][..],
        &["--docker", "/nowhere/docker"],
        &["--docker", "/dev/null"],
    ] {
        let found = failed(
            &mut start_candidate(&[&GOOD, docker].concat()),
            3,
            "no_docker",
        );
        assert!(!found["error"]["hint"].to_string().is_empty(), "{found}");
    }
    let mut command = start_candidate(&GOOD);
    failed(
        command.env("DEPLOY_STEPS_DOCKER", "/nowhere/docker"),
        3,
        "no_docker",
    );
}

#[test]
fn what_is_said_to_people_is_on_stderr_even_when_quiet() {
    let done = start_candidate(&[&GOOD[..], &["--quiet"]].concat())
        .assert()
        .code(3);
    done.stderr(predicate::str::starts_with(
        "start-candidate: no docker command line tool",
    ))
    .stderr(predicate::str::contains("hint: "));
}

#[test]
fn a_report_that_cannot_be_read_is_6() {
    let folder = tempfile();
    for text in [
        "",
        "\n",
        "garbage",
        "[]",
        "null",
        "{}",
        "{\"ok\":true}{}",
        "{\"ok\":\"yes\"}",
    ] {
        failed(
            start_candidate(&["--from", "-"]).write_stdin(text),
            6,
            "from_unreadable",
        );
        fs::write(&folder, text).unwrap();
        failed(
            &mut start_candidate(&["--from", &folder]),
            6,
            "from_unreadable",
        );
    }
    failed(
        start_candidate(&["--from", "-"]).write_stdin(b"{\"ok\":true,\"app\":\"\xff\"}"),
        6,
        "from_unreadable",
    );
    for path in ["/nowhere/report.json", "/"] {
        failed(
            &mut start_candidate(&["--from", path]),
            6,
            "from_unreadable",
        );
    }
    fs::remove_file(folder).unwrap();
}

/// A file of this process.
fn tempfile() -> String {
    let name = format!("start-candidate-report-{}.json", std::process::id());
    std::env::temp_dir().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_failed_report_passes_unchanged_with_its_code_and_nothing_is_done() {
    for code in [1, 7, 12, 32, 50, 100] {
        let text = format!(
            r#"{{"step":"x","ok":false,"error":{{"code":{code},"kind":"é"}},"z":1,"a":[1.50]}}"#
        );
        for words in [&[][..], &GOOD] {
            let mut command = start_candidate(&[words, &["--from", "-"]].concat());
            let done = command.write_stdin(format!("{text}\n")).assert().code(code);
            done.stdout(format!("{text}\n")).stderr("");
        }
    }
    for code in [0, 101, 125, 256] {
        let text = json!({"ok": false, "error": {"code": code}}).to_string();
        failed(
            start_candidate(&["--from", "-"]).write_stdin(text),
            6,
            "from_unreadable",
        );
    }
}

#[test]
fn a_stdout_that_takes_nothing_is_a_failure() {
    let mut raw = std::process::Command::new(env!("CARGO_BIN_EXE_start-candidate"));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let done = raw.arg("--schema").stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("could not be written to stdout"), "{said}");
}

#[test]
fn the_schema_is_one_line_and_stands_alone() {
    let schema = report(&mut start_candidate(&["--schema"]), 0);
    assert_eq!(schema["title"], "report of start-candidate");
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), 2);
    let beside = [&GOOD[..], &["--schema"]].concat();
    assert_eq!(report(&mut start_candidate(&beside), 0), schema);
}
