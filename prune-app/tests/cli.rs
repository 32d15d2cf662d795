//! What is prune-app's own in its contract; what all steps promise is tested once, with the engine.
#![cfg(test)]

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::Value;

/// The step, free of what this environment happens to set and without an engine.
fn prune_app(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("prune-app");
    command.env_clear().env("PATH", "").args(args);
    command
}

fn report(command: &mut Command, code: i32) -> Value {
    let done = command.assert().code(code);
    let stdout = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert_eq!(stdout.matches('\n').count(), 1, "{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn usage_errors_are_2_with_nothing_on_stdout() {
    let full = "5ca9".repeat(16);
    let wrong: &[&[&str]] = &[
        &[],
        &["--app", ""],
        &["--app", "w"],
        &["--app", "--all"],
        &["--app", "web/x"],
        &["--app", "web", "--container", "-x"],
        &["--app", "web", "--keep", "-1"],
        &["--app", "web", "--keep", "some"],
        &["--app", "web", "--repo", "web:v1"],
        &["--app", "web", "--repo", "Web"],
        &["--app", "web", "--repo", "-f"],
        &["--app", "web", "--repo", "*"],
        &["--app", "web", "--candidate-id", &full],
        &["--app", "web", "--candidate", "--candidate-id", "5ca9"],
        &["--app", "web", "--candidate", "--candidate-id", "--all"],
        &["--app", "web", "--engine-timeout", "x"],
        &["--app", "web", "extra"],
    ];
    for args in wrong {
        let done = prune_app(args).assert().code(2);
        done.stdout("").stderr(predicate::str::contains("--help"));
    }
}

#[test]
fn help_shows_every_flag_and_its_own_exit_codes() {
    let done = prune_app(&["--help"]).assert().success().stderr("");
    done.stdout(predicate::str::contains("Exit codes:"))
        .stdout(predicate::str::contains(
            "50  something could not be removed",
        ))
        .stdout(predicate::str::contains("30  ").not())
        .stdout(predicate::str::contains("--dry-run"));
}

#[test]
fn the_app_may_come_from_the_environment_or_the_baton() {
    let mut command = prune_app(&["--docker", "/nowhere/docker"]);
    report(command.env("APP_NAME", "web"), 3);
    let mut command = prune_app(&["--docker", "/nowhere/docker", "--from", "-"]);
    report(command.write_stdin(r#"{"ok":true,"app":"web"}"#), 3);
    // The container alone does not say whose images are meant.
    let mut command = prune_app(&["--container", "web"]);
    command.assert().code(2).stdout("");
}
