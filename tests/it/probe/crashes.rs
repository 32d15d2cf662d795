//! Containers that end while they are looked at: told at once, with how and why.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use stage::docker::{Scope, default_network, docker, inspect};
use stage::ground::{on_machine, on_podman, on_rootless_docker};
use stage::image::Image;
use stage::marks::Marks;
use stage::skipped::skip;

use crate::support::has_run_where_limits_are;

use super::{
    UnderWay, command, failed, healthy, probe, start, start_as, start_with, unpublished,
    with_programs,
};

/// Far longer than any crash takes to be noticed, even on a busy machine.
const PATIENT: [&str; 2] = ["--within", "100s"];

fn crashed(run: &super::Run) -> Value {
    let report = failed(run, 32, "crashed");
    let took = report["took_ms"].as_u64().unwrap();
    assert!(took < 50_000, "waited on after the end: {run:?}");
    report
}

fn has_line(report: &Value, line: &str) -> bool {
    let log = report["log"].as_array();
    log.is_some_and(|log| log.iter().any(|it| it == line))
}

#[test]
fn a_crash_at_the_start_is_32_with_exit_code_and_log() {
    let scope = Scope::new("crash");
    start(&scope, &Image::of(scope.app()).env("CRASH", "1"));
    let run = probe(&scope, &PATIENT);
    let report = crashed(&run);
    assert_eq!(report["exit_code"], 3, "{run:?}");
    assert_eq!(report["status"], "exited");
    assert_eq!(report["oom_killed"], false);
    assert_eq!(report["restarts"], 0);
    assert!(has_line(&report, "| fatal: told to crash at the start"));
    assert!(run.stderr.contains("ended with exit code 3"), "{run:?}");
    let left = inspect(&scope.candidate()).unwrap().unwrap();
    assert_eq!(left["State"]["ExitCode"], 3);
}

#[test]
fn a_crash_while_looking_is_32_with_the_looks_so_far() {
    let scope = Scope::new("later");
    let image = Image::of(scope.app()).env("SICK", "1");
    start(&scope, &image.env("CRASH_AFTER_MS", "5000"));
    let report = crashed(&probe(&scope, &PATIENT));
    assert_eq!(report["exit_code"], 4);
    assert!(has_line(&report, "| fatal: told to crash after a while"));
    let looks = report["last_attempts"].as_array().unwrap();
    assert!(!looks.is_empty(), "{report}");
}

#[test]
fn a_crash_is_noticed_although_a_look_hangs() {
    let scope = Scope::new("hangs");
    let image = Image::of(scope.app());
    start_as(&scope.candidate(), &scope, &image, unpublished());
    healthy(&probe(&scope, &[]));
    let hanging = ["--path", "/slow?ms=90000", "--timeout", "95s"];
    let waiting = UnderWay::of(command(&scope, &[&PATIENT[..], &hanging].concat()));
    // Off the network, so that the end of the app does not end the connection.
    let network = default_network();
    docker(["network", "disconnect", network, &scope.candidate()]).unwrap();
    docker(["kill", &scope.candidate()]).unwrap();
    let report = crashed(&waiting.end());
    assert_eq!(report["exit_code"], 137, "{report}");
    let ended = report["last_attempts"].as_array().unwrap().len();
    // Through a published port the connection ends with the network.
    assert!(ended == 0 || on_rootless_docker(), "{report}");
}

#[test]
fn an_app_that_answers_nothing_is_30_after_looks_of_bounded_length() {
    let scope = Scope::new("deaf");
    start(&scope, &Image::of(scope.app()));
    healthy(&probe(&scope, &[]));
    let hanging = ["--path", "/slow?ms=90000", "--timeout", "300ms"];
    let run = probe(&scope, &[&hanging[..], &["--within", "2s"]].concat());
    let report = failed(&run, 30, "unhealthy");
    assert_eq!(super::last_saw(&report), "no answer in time");
    assert!(report["took_ms"].as_u64().unwrap() < 50_000);
}

#[test]
fn a_crash_loop_of_the_live_container_is_32() {
    let scope = Scope::new("loop");
    let image = Image::of(scope.app()).env("CRASH_AFTER_MS", "300");
    let options = ["--restart", "always", "-p", "127.0.0.1::8080"];
    start_as(scope.app(), &scope, &image.env("SICK", "1"), &options);
    let report = crashed(&probe(&scope, &["--live", "--within", "100s"]));
    // Podman tells of a container whose end it is still clearing up.
    let states = ["exited", "restarting", "running", "stopped"];
    assert!(
        states.contains(&report["status"].as_str().unwrap()),
        "{report}"
    );
    let left = inspect(scope.app()).unwrap().unwrap();
    assert_eq!(left["HostConfig"]["RestartPolicy"]["Name"], "always");
}

#[test]
fn a_killed_container_is_32_with_137() {
    let scope = Scope::new("killed");
    start(&scope, &Image::of(scope.app()).env("BOOT_MS", "600000"));
    let waiting = UnderWay::of(command(&scope, &PATIENT));
    docker(["kill", &scope.candidate()]).unwrap();
    let report = crashed(&waiting.end());
    assert_eq!(report["exit_code"], 137, "{report}");
    assert_eq!(report["oom_killed"], false);
    let looks = report["last_attempts"].as_array().unwrap();
    assert!(!looks.is_empty(), "{report}");
}

#[test]
fn a_restarted_container_is_32_although_it_runs_again() {
    let scope = Scope::new("again");
    start(&scope, &Image::of(scope.app()).env("BOOT_MS", "600000"));
    let waiting = UnderWay::of(command(&scope, &PATIENT));
    docker(["restart", "-t", "0", &scope.candidate()]).unwrap();
    crashed(&waiting.end());
}

#[test]
fn a_removed_container_is_31() {
    let scope = Scope::new("removed");
    start(&scope, &Image::of(scope.app()).env("BOOT_MS", "600000"));
    let waiting = UnderWay::of(command(&scope, &PATIENT));
    docker(["rm", "-f", &scope.candidate()]).unwrap();
    let run = waiting.end();
    assert!([31, 32].contains(&run.code), "{run:?}");
    let kind = if run.code == 31 {
        "no_container"
    } else {
        "crashed"
    };
    failed(&run, run.code, kind);
}

#[test]
fn out_of_memory_is_32_and_says_so() {
    if on_rootless_docker() && docker(["info", "-f", "{{.MemoryLimit}}"]).unwrap() == "false" {
        // It has no cgroups of its own here, and so no limit.
        let scope = Scope::new("oom");
        eats(&scope);
        healthy(&probe(&scope, &PATIENT));
        return;
    }
    if on_machine() {
        return skip(
            "of limits in cgroup v1, the only ones here, a machine's engine hears nothing",
        );
    }
    if has_run_where_limits_are() {
        return;
    }
    // The engine is told of the want and of the end on two ways, and has forgotten why if the end is the first.
    let told = (0..5).any(|_| runs_out_of_memory());
    // Podman's monitor looks for the cgroup where it is outside a stage, and is told of the signal only.
    assert_eq!(told, !on_podman());
}

fn eats(scope: &Scope) {
    let image = Image::of(scope.app()).env("EAT_MB", "256");
    start_with(scope, &image, &["--memory", "24m", "--memory-swap", "24m"]);
}

/// Whether the report says so, which it does if the engine does.
fn runs_out_of_memory() -> bool {
    let scope = Scope::new("oom");
    eats(&scope);
    let run = probe(&scope, &PATIENT);
    let report = crashed(&run);
    assert_eq!(report["exit_code"], 137);
    let engine_says = &inspect(&scope.candidate()).unwrap().unwrap()["State"]["OOMKilled"];
    assert_eq!(report["oom_killed"], *engine_says, "{run:?}");
    let said = run.stderr.contains("for want of memory");
    assert_eq!(report["oom_killed"], said, "{run:?}");
    said
}

#[test]
fn a_crash_after_memory_ran_out_says_of_memory_what_the_engine_says() {
    if !on_rootless_docker() && has_run_where_limits_are() {
        return;
    }
    let scope = Scope::new("starved");
    let image = Image::of(scope.app()).env("SICK", "1");
    start_with(&scope, &image, &["--memory", "24m", "--memory-swap", "24m"]);
    let waiting = UnderWay::of(command(&scope, &PATIENT));
    // Where there are no limits it ends for want of the port.
    let hungry = ["exec", "--env=EAT_MB=256", &scope.candidate(), "/demo-app"];
    docker(hungry).unwrap_err();
    docker(["kill", "--signal=TERM", &scope.candidate()]).unwrap();
    let report = crashed(&waiting.end());
    assert_eq!(report["exit_code"], 0, "{report}");
    let engine_says = &inspect(&scope.candidate()).unwrap().unwrap()["State"]["OOMKilled"];
    assert_eq!(report["oom_killed"], *engine_says, "{report}");
}

#[test]
fn a_container_that_was_never_started_is_32() {
    let scope = Scope::new("created");
    let tag = format!("{}:v1", scope.app());
    Image::of(scope.app()).build(&tag).unwrap();
    let marks = Marks::candidate(scope.app(), &tag).unwrap().options();
    let name = ["create", "--name", &scope.candidate()].map(str::to_owned);
    docker([&name[..], &marks, &[tag]].concat()).unwrap();
    let run = probe(&scope, &PATIENT);
    let report = crashed(&run);
    assert_eq!(report["status"], "created");
    assert!(run.stderr.contains("was never started"), "{run:?}");
}

#[test]
fn what_the_app_logs_can_neither_command_a_runner_nor_show_its_secrets() {
    let scope = Scope::new("hostile");
    let script =
        r#"printf '::error::x\n##[group]y\n a ##[error]b\n\033[31mred %s\n' "$TOKEN"; exit 9"#;
    let tag = format!("{}:v1", scope.app());
    Image::of(scope.app()).build(&tag).unwrap();
    let name = scope.candidate();
    let head = ["run", "-d", "--name", &name, "--env=TOKEN=hunter2-hunter2"];
    let mut programs = with_programs();
    programs.extend(Marks::candidate(scope.app(), &tag).unwrap().options());
    let options = head
        .iter()
        .copied()
        .chain(programs.iter().map(String::as_str));
    let tail = ["--entrypoint=/usr/bin/sh", &tag, "-c", script];
    docker(options.chain(tail)).unwrap();
    let run = probe(&scope, &PATIENT);
    let report = crashed(&run);
    assert_eq!(report["exit_code"], 9, "{run:?}");
    let log = report["log"].as_array().unwrap();
    assert_eq!(log.len(), 4, "{run:?}");
    assert!(
        log.iter()
            .all(|line| line.as_str().unwrap().starts_with("| "))
    );
    assert!(has_line(&report, "| \\u{1b}[31mred ***"), "{report}");
    for stream in [&run.stdout, &run.stderr] {
        assert!(!stream.contains("##["), "{stream}");
        assert!(!stream.contains("hunter2"), "{stream}");
        assert!(!stream.lines().any(|line| line.trim().starts_with("::")));
    }
}

#[test]
fn a_log_is_cut_to_its_last_lines() {
    let scope = Scope::new("chatty");
    let tag = format!("{}:v1", scope.app());
    Image::of(scope.app()).build(&tag).unwrap();
    let name = scope.candidate();
    let script = "seq 1 500; head -c 100000 /dev/zero | tr '\\0' x; echo; exit 1";
    let mut programs = with_programs();
    programs.extend(Marks::candidate(scope.app(), &tag).unwrap().options());
    let options = ["run", "-d", "--name", &name].into_iter();
    let options = options.chain(programs.iter().map(String::as_str));
    let tail = ["--entrypoint=/usr/bin/sh", &tag, "-c", script];
    docker(options.chain(tail)).unwrap();
    thread::sleep(Duration::from_millis(500));
    let report = crashed(&probe(&scope, &PATIENT));
    let log = report["log"].as_array().unwrap();
    assert!((1..=20).contains(&log.len()), "{}", log.len());
    assert!(
        log.iter()
            .all(|line| line.as_str().unwrap().chars().count() < 600)
    );
    assert!(has_line(&report, "| 499"), "{report}");
}
