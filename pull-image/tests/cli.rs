//! What is pull-image's own in its contract; what all steps promise is tested once, with the engine.
#![cfg(test)]

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::{Value, json};

/// The step, free of what this environment happens to set and without an engine.
fn pull_image(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("pull-image");
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
    assert_eq!(found["step"], "pull-image");
    assert_eq!(found["ok"], false);
    assert_eq!(found["error"]["code"], code);
    assert_eq!(found["error"]["kind"], kind);
    assert!(found["took_ms"].is_u64(), "{found}");
    found
}

const GOOD: [&str; 1] = ["web:v1"];

#[test]
fn usage_errors_are_2_with_nothing_on_stdout() {
    let short = format!("--expect-digest=sha256:{}", "0".repeat(63));
    let upper = format!("--expect-digest=sha256:{}", "A".repeat(64));
    let alone: &[&[&str]] = &[
        &[],
        &["--app", "web"],
        &["Web:v1"],
        &["web v1"],
        &["--", "--all-tags"],
    ];
    let beside: &[&[&str]] = &[
        &["extra"],
        &["--no-such-flag"],
        &["--app", "w"],
        &["--app", "-web"],
        &["--app"],
        &["--container", "we b"],
        &["--expect-digest", "latest"],
        &[&short],
        &[&upper],
        &["--platform", "linux/arm 64"],
        &["--platform", "linux//arm64"],
        &["--platform=--all-tags"],
        &["--attempts", "0"],
        &["--attempts", "101"],
        &["--timeout", "soon"],
        &["--timeout", "8d"],
        &["--engine-timeout", "-1"],
        &["--min-free", "1GB"],
        &["--min-free", "99999999TiB"],
        &["--min-free", "1.5GiB"],
        &["--quiet", "--quiet"],
    ];
    let beside = beside.iter().map(|args| [&GOOD[..], args].concat());
    let wrong = alone.iter().map(|args| args.to_vec()).chain(beside);
    for args in wrong {
        let done = pull_image(&args).assert().code(2);
        done.stdout("").stderr(predicate::str::contains("--help"));
    }
}

#[test]
fn help_shows_every_flag_and_its_own_exit_codes() {
    let done = pull_image(&["--help"]).assert().success().stderr("");
    let said = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    for flag in [
        "--app",
        "--container",
        "--expect-digest",
        "--platform",
        "--attempts",
        "--timeout",
        "--min-free",
        "--allow-unlabelled",
        "--from",
        "--quiet",
        "--schema",
        "--docker",
        "--swarm",
        "--engine-timeout",
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
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    );
}

#[test]
fn what_no_flag_gives_is_taken_from_the_report() {
    let before = json!({"step": "build", "ok": true, "image": "web:v1", "more": {"x": 1}});
    let mut command = pull_image(&["--from", "-"]);
    failed(command.write_stdin(before.to_string()), 3, "no_docker");
    let without = json!({"step": "build", "ok": true});
    let done = pull_image(&["--from", "-"])
        .write_stdin(without.to_string())
        .assert();
    done.code(2)
        .stdout("")
        .stderr(predicate::str::contains("IMAGE is needed"));
}
