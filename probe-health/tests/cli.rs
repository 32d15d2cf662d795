//! What is probe-health's own in its contract; what all steps promise is tested once, with the engine.
#![cfg(test)]

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::Value;

/// The step, free of what this environment happens to set and without an engine.
fn probe_health(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("probe-health");
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
    let wrong: &[&[&str]] = &[
        &[],
        &["--app", "w"],
        &["--app", "-web"],
        &["--app", "we b"],
        &["--candidate", "--all"],
        &["--app", "web", "--live", "--candidate", "web-new"],
        &["--app", "web", "--live", "--url", "http://x/"],
        &["--url", "ftp://x/"],
        &["--url", "file:///etc/passwd"],
        &["--url", "http://x/ y"],
        &["--url", "http://x/", "--tcp"],
        &["--app", "web", "--path", "health"],
        &["--app", "web", "--path", "/a b"],
        &["--app", "web", "--port", "0"],
        &["--app", "web", "--port", "65536"],
        &["--app", "web", "--expect-status", "99"],
        &["--app", "web", "--expect-status", "299-200"],
        &["--app", "web", "--header", "no colon"],
        &["--app", "web", "--header", "X: a\r\nY: b"],
        &["--app", "web", "--host", "a\nb"],
        &["--app", "web", "--insecure"],
        &["--app", "web", "--tcp", "--path", "/"],
        &["--app", "web", "--tcp", "--exec", "true"],
        &["--app", "web", "--exec", " "],
        &["--app", "web", "--exec", "true", "--docker-health"],
        &["--app", "web", "--within", "soon"],
        &["--app", "web", "--within", "-1"],
        &["--app", "web", "--attempts", "0"],
        &["--app", "web", "--successes", "0"],
        &["--app", "web", "extra"],
    ];
    for args in wrong {
        let done = probe_health(args).assert().code(2);
        done.stdout("").stderr(predicate::str::contains("--help"));
    }
}

#[test]
fn help_shows_every_flag_and_its_own_exit_codes() {
    let done = probe_health(&["--help"]).assert().success().stderr("");
    let own = "30  not healthy in time";
    done.stdout(predicate::str::contains("Exit codes:").and(predicate::str::contains(own)))
        .stdout(predicate::str::contains("33  no address to probe"))
        .stdout(predicate::str::contains("40  ").not())
        .stdout(predicate::str::contains("--docker-health"));
}

#[test]
fn durations_and_tries_from_the_environment_are_checked_where_they_count() {
    for (name, value) in [
        ("MAX_RETRIES", "0"),
        ("MAX_RETRIES", "x"),
        ("RETRY_INTERVAL", "x"),
    ] {
        let mut command = probe_health(&[]);
        command.env("APP_NAME", "web").env(name, value);
        command.assert().code(2).stdout("");
        let mut command = probe_health(&["--app", "web"]);
        report(command.env(name, value), 3);
    }
}

#[test]
fn a_url_that_nobody_answers_is_30_and_needs_no_docker() {
    let args = [
        "--url",
        "http://127.0.0.1:1/",
        "--attempts",
        "2",
        "--interval",
        "1ms",
    ];
    let found = report(&mut probe_health(&args), 30);
    assert_eq!(found["error"]["kind"], "unhealthy");
    assert_eq!(found["last_attempts"][1]["saw"], "connection refused");
}

#[test]
fn quiet_keeps_errors() {
    let args = ["--url", "http://127.0.0.1:1/", "--attempts", "1"];
    let told = probe_health(&args).assert().code(30);
    told.stderr(predicate::str::contains("waiting for"));
    let mut command = probe_health(&args);
    let quiet = command.arg("--quiet").assert().code(30);
    quiet
        .stderr(predicate::str::contains("waiting for").not())
        .stderr(predicate::str::contains("not healthy after 1 attempts"));
}
