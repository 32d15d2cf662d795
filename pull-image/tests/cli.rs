//! The contract of pull-image where there is no engine.
#![cfg(test)]

use std::fs::{self, File};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use predicates::prelude::*;
use serde_json::{Value, json};

/// The step, free of what this environment happens to set and without an engine.
fn pull_image(args: &[&str]) -> Command {
    let mut command = cargo_bin_cmd!("pull-image");
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
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15]);
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

#[test]
fn the_version_is_said() {
    let version = concat!("pull-image ", env!("CARGO_PKG_VERSION"), "\n");
    let done = pull_image(&["--version"]).assert().success();
    done.stdout(version).stderr("");
}

#[test]
fn help_never_shows_what_the_environment_holds() {
    let mut command = pull_image(&["--help"]);
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
        let found = failed(&mut pull_image(&[&GOOD, docker].concat()), 3, "no_docker");
        assert!(!found["error"]["hint"].to_string().is_empty(), "{found}");
    }
    let mut command = pull_image(&GOOD);
    failed(
        command.env("DEPLOY_STEPS_DOCKER", "/nowhere/docker"),
        3,
        "no_docker",
    );
}

#[test]
fn what_is_said_to_people_is_on_stderr_even_when_quiet() {
    let done = pull_image(&[&GOOD[..], &["--quiet"]].concat())
        .assert()
        .code(3);
    done.stderr(predicate::str::starts_with(
        "pull-image: no docker command line tool",
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
            pull_image(&["--from", "-"]).write_stdin(text),
            6,
            "from_unreadable",
        );
        fs::write(&folder, text).unwrap();
        failed(&mut pull_image(&["--from", &folder]), 6, "from_unreadable");
    }
    failed(
        pull_image(&["--from", "-"]).write_stdin(b"{\"ok\":true,\"app\":\"\xff\"}"),
        6,
        "from_unreadable",
    );
    for path in ["/nowhere/report.json", "/"] {
        failed(&mut pull_image(&["--from", path]), 6, "from_unreadable");
    }
    fs::remove_file(folder).unwrap();
}

/// A file of this process.
fn tempfile() -> String {
    let name = format!("pull-image-report-{}.json", std::process::id());
    std::env::temp_dir().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_failed_report_passes_unchanged_with_its_code_and_nothing_is_done() {
    for code in [1, 7, 12, 32, 50, 100] {
        let text = format!(
            r#"{{"step":"x","ok":false,"error":{{"code":{code},"kind":"é"}},"z":1,"a":[1.50]}}"#
        );
        for words in [&[][..], &GOOD] {
            let mut command = pull_image(&[words, &["--from", "-"]].concat());
            let done = command.write_stdin(format!("{text}\n")).assert().code(code);
            done.stdout(format!("{text}\n")).stderr("");
        }
    }
    for code in [0, 101, 125, 256] {
        let text = json!({"ok": false, "error": {"code": code}}).to_string();
        failed(
            pull_image(&["--from", "-"]).write_stdin(text),
            6,
            "from_unreadable",
        );
    }
}

#[test]
fn a_stdout_that_takes_nothing_is_a_failure() {
    let mut raw = std::process::Command::new(env!("CARGO_BIN_EXE_pull-image"));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let done = raw.arg("--schema").stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("could not be written to stdout"), "{said}");
}

#[test]
fn the_schema_is_one_line_and_stands_alone() {
    let schema = report(&mut pull_image(&["--schema"]), 0);
    assert_eq!(schema["title"], "report of pull-image");
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), 2);
    let beside = [&GOOD[..], &["--schema"]].concat();
    assert_eq!(report(&mut pull_image(&beside), 0), schema);
}
