//! What is promote's own in its contract; what all steps promise is tested once, with the engine.
#![cfg(test)]

use std::fs;

use assert_cmd::{Command, cargo_bin_cmd};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

const NO_DOCKER: [&str; 2] = ["--docker", "/nonexistent/docker"];

fn promote(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("promote");
    command.env_clear().args(args);
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
        (47, "the final container"),
    ] {
        assert = assert.stdout(lists(code, what));
    }
    for other in [10, 20, 30, 50] {
        assert = assert.stdout(lists_none(other));
    }
    assert.stdout(contains("--drain <TIME>").and(contains("else always]")));
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
