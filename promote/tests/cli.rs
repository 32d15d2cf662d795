//! The contract of promote where there is no engine: usage, streams and exit codes.
#![cfg(test)]

use std::fs::{self, File};
use std::process::Stdio;

use assert_cmd::{Command, cargo::cargo_bin, cargo_bin_cmd};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

const NO_DOCKER: [&str; 2] = ["--docker", "/nonexistent/docker"];
const STEERING: [&str; 7] = [
    "APP_NAME",
    "APP_PORT",
    "CONTAINER_NAME",
    "DEPLOY_STEPS_DOCKER",
    "DEPLOY_STEPS_DEPLOY_ID",
    "MAX_RETRIES",
    "RETRY_INTERVAL",
];

fn promote(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("promote");
    for name in STEERING {
        command.env_remove(name);
    }
    command.args(args);
    command
}

fn with_app<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["--app", "web"], args].concat()
}

/// The one JSON line of a failure, which people were told of as well.
fn failure(mut command: Command, code: i32, kind: &str) -> Value {
    let out = command.assert().code(code).get_output().clone();
    let (stdout, stderr) = (String::from_utf8(out.stdout), String::from_utf8(out.stderr));
    let (stdout, stderr) = (stdout.unwrap(), stderr.unwrap());
    assert_eq!(stdout.matches('\n').count(), 1, "{stdout}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["step"], "promote");
    assert_eq!(report["ok"], false);
    assert_eq!(report["error"]["code"], code);
    assert_eq!(report["error"]["kind"], kind);
    assert!(report["took_ms"].is_u64(), "{report}");
    for said in ["message", "hint"] {
        let said = report["error"][said].as_str().unwrap();
        assert!(!said.is_empty() && stderr.contains(said), "{stderr}");
    }
    report
}

#[test]
fn what_it_does_not_understand_is_2_with_nothing_on_stdout() {
    let wrong: [(&[&str], &str); 13] = [
        (&[], "--app"),
        (&["--container", "web"], "--app"),
        (&["--app", "w"], "2 to 128"),
        (&["--app", "-web"], "-w"),
        (&["--app=--rm"], "2 to 128"),
        (&["--app", "we b"], "2 to 128"),
        (&["--app", "web", "--container", "$(id)"], "2 to 128"),
        (&["--app", "web", "--within", "soon"], "--within"),
        (&["--app", "web", "--drain", "-1s"], "-1"),
        (
            &["--app", "web", "--stop-timeout", "10 apples"],
            "--stop-timeout",
        ),
        (&["--app", "web", "--restart", "sometimes"], "sometimes"),
        (&["--app", "web", "--no-such-flag"], "--no-such-flag"),
        (&["--app", "web", "surplus"], "surplus"),
    ];
    for (args, said) in wrong {
        let assert = promote(args).args(NO_DOCKER).assert();
        assert
            .code(2)
            .stdout("")
            .stderr(contains(said).and(contains("--help")));
    }
}

#[test]
fn help_ends_with_the_codes_of_this_step_and_no_others() {
    let lists = |code: u32, what: &str| contains(format!("\n  {code:>3}  {what}"));
    let lists_none = |code: u32| contains(format!("\n  {code:>3}  ")).not();
    let mut assert = promote(&["--help"]).assert().code(0).stderr("");
    for (code, what) in [
        (0, "done"),
        (2, "usage"),
        (7, "interrupted"),
        (40, "no running, healthy candidate"),
        (41, "rolled back"),
        (42, "rolled back"),
        (43, "the rollback failed"),
        (45, "another promotion"),
        (46, "a host port"),
        (47, "the new container"),
    ] {
        assert = assert.stdout(lists(code, what));
    }
    for other in [10, 20, 30, 50] {
        assert = assert.stdout(lists_none(other));
    }
    assert.stdout(contains("--drain <TIME>").and(contains("[default: always]")));
}

#[test]
fn the_environments_values_are_not_shown_in_help() {
    let mut help = promote(&["--help"]);
    let help = help
        .env("APP_NAME", "hidden-app")
        .env("DEPLOY_STEPS_DOCKER", "/hidden/docker");
    help.assert().code(0).stdout(contains("hidden").not());
}

#[test]
fn the_version_goes_to_stdout() {
    promote(&["--version"])
        .assert()
        .code(0)
        .stdout(contains("promote 0."));
}

#[test]
fn the_schema_describes_success_and_failure() {
    let assert = promote(&["--schema"]).assert().code(0).stderr("");
    let schema: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    let shapes = schema["oneOf"].as_array().unwrap();
    let has = |shape: usize, name: &str| shapes[shape]["properties"].get(name).is_some();
    assert_eq!(shapes.len(), 2);
    for name in ["container_id", "changed", "carried_on", "replaced", "swap"] {
        assert!(has(0, name), "{name}");
    }
    for name in ["error", "rolled_back_to", "last_attempts", "log"] {
        assert!(has(1, name), "{name}");
    }
}

#[test]
fn a_docker_that_does_not_exist_is_3() {
    let report = failure(promote(&with_app(&NO_DOCKER)), 3, "no_docker");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("/nonexistent/docker"), "{message}");
    let mut by_variable = promote(&["--app", "web"]);
    by_variable.env("DEPLOY_STEPS_DOCKER", NO_DOCKER[1]);
    failure(by_variable, 3, "no_docker");
    let mut nowhere = promote(&["--app", "web"]);
    nowhere.env("PATH", "/nonexistent");
    failure(nowhere, 3, "no_docker");
}

#[test]
fn names_may_come_from_the_environment_and_are_checked_there_too() {
    let mut named = promote(&NO_DOCKER);
    named
        .env("APP_NAME", "web")
        .env("CONTAINER_NAME", "web-box");
    failure(named, 3, "no_docker");
    let mut wrong = promote(&NO_DOCKER);
    wrong
        .env("APP_NAME", "web")
        .env("CONTAINER_NAME", "no good");
    wrong.assert().code(2).stdout("");
    let mut unread = promote(&with_app(&NO_DOCKER));
    unread.env("CONTAINER_NAME", "no good");
    failure(unread, 3, "no_docker");
}

#[test]
fn what_is_not_a_report_is_6() {
    let garbage = [
        "",
        "\n",
        "hello",
        "{",
        "[]",
        "{}",
        r#"{"ok":"yes"}"#,
        r#"{"ok":true}{"ok":true}"#,
        r#"{"ok":true,"app":"--rm"}"#,
        r#"{"ok":true,"app":"web","candidate_id":"short"}"#,
        r#"{"ok":true,"app":"web","image":"-v/:/x"}"#,
        r#"{"ok":false}"#,
        r#"{"ok":false,"error":{"code":0}}"#,
        r#"{"ok":false,"error":{"code":255}}"#,
    ];
    for text in garbage {
        let mut command = promote(&with_app(&["--from", "-"]));
        command.write_stdin(text);
        failure(command, 6, "from_unreadable");
    }
    let missing = with_app(&["--from", "/nonexistent/report.json"]);
    failure(promote(&missing), 6, "from_unreadable");
    failure(promote(&with_app(&["--from", "/"])), 6, "from_unreadable");
}

#[test]
fn a_failed_report_passes_through_unchanged_with_its_own_code() {
    for code in [1, 10, 32, 50, 100] {
        let report = format!(
            r#"{{"step":"other","ok":false,"error":{{"code":{code},"kind":"k","message":"m"}},"extra":[1, 2]}}"#
        );
        let mut command = promote(&["--from", "-"]);
        command.write_stdin(format!("{report}\n"));
        command
            .assert()
            .code(code)
            .stdout(format!("{report}\n"))
            .stderr("");
    }
}

#[test]
fn a_report_gives_the_names_that_no_flag_gives() {
    let file = std::env::temp_dir().join(format!("promote-cli-{}", std::process::id()));
    fs::write(&file, r#"{"ok":true,"app":"web","container":"box"}"#).unwrap();
    let from = ["--from", file.to_str().unwrap()];
    failure(promote(&[&from[..], &NO_DOCKER].concat()), 3, "no_docker");
    fs::remove_file(&file).unwrap();

    let mut nameless = promote(&["--from", "-"]);
    nameless.write_stdin(r#"{"ok":true}"#);
    nameless
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("--app"));
}

#[test]
fn quiet_silences_progress_and_never_an_error() {
    let args = with_app(&[&NO_DOCKER[..], &["--quiet"]].concat());
    failure(promote(&args), 3, "no_docker");
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    for (args, code) in [(vec!["--schema"], 1), (with_app(&NO_DOCKER), 3)] {
        let mut command = std::process::Command::new(cargo_bin!("promote"));
        for name in STEERING {
            command.env_remove(name);
        }
        let full = File::options().write(true).open("/dev/full").unwrap();
        let command = command.args(args).stdout(full).stderr(Stdio::piped());
        let out = command.output().unwrap();
        assert_eq!(out.status.code(), Some(code));
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(said.contains("could not be written"), "{said}");
    }
}
