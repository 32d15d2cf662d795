//! How long it waits, how often it looks, and what a look that found nothing good says.

use rustix::process::{Pid, Signal, kill_process};
use stage::docker::{Scope, published};
use stage::fault::{Fault, Proxy};
use stage::image::Image;
use stage::steps::{run, step};

use super::{UnderWay, command, failed, healthy, last_saw, probe, start, still_runs};

#[test]
fn a_candidate_that_is_healthy_is_found_so_by_one_look() {
    let scope = Scope::new("well");
    let id = start(&scope, &Image::of(scope.app()).version("v1"));
    // The app may need a moment to listen at all.
    healthy(&probe(&scope, &[]));
    let run = probe(&scope, &[]);
    let report = healthy(&run);
    assert_eq!(report["attempts"], 1, "{run:?}");
    assert_eq!(report["app"], scope.app());
    assert_eq!(report["container"], scope.app());
    assert_eq!(report["candidate"], scope.candidate());
    assert_eq!(report["candidate_id"], id);
    let host_port = published(&scope.candidate(), 8080).unwrap();
    assert_eq!(report["target"], format!("{host_port}/health"));
    assert_eq!(last_saw(&report), "status 200");
    assert!(run.stderr.contains("is healthy at attempt 1\n"), "{run:?}");
    still_runs(&scope.candidate(), &id);
}

#[test]
fn an_app_that_boots_is_noticed_soon_after_it_answers() {
    let scope = Scope::new("boots");
    start(&scope, &Image::of(scope.app()).env("BOOT_MS", "2000"));
    let run = probe(&scope, &["--within", "60s", "--interval", "30s"]);
    let report = healthy(&run);
    let looks = report["last_attempts"].as_array().unwrap();
    let [.., before, last] = looks.as_slice() else {
        panic!("fewer than two looks: {run:?}")
    };
    assert_eq!(before["ok"], false);
    let at = |look: &serde_json::Value, key: &str| look[key].as_u64().unwrap();
    let lost = at(last, "at_ms") - at(before, "at_ms") - at(before, "took_ms");
    assert!(lost < 500, "{lost} ms without a look: {run:?}");
}

#[test]
fn a_sick_app_is_30_with_its_last_looks_and_log() {
    let scope = Scope::new("sick");
    let image = Image::of(scope.app()).version("v7").env("SICK", "1");
    let id = start(&scope, &image);
    let run = probe(&scope, &["--within", "2s"]);
    let report = failed(&run, 30, "unhealthy");
    assert_eq!(report["container"], scope.candidate());
    assert_eq!(last_saw(&report), "status 503");
    let looks = report["last_attempts"].as_array().unwrap();
    assert_eq!(looks.len(), 5, "{run:?}");
    assert!(looks.iter().all(|look| look["ok"] == false));
    let log = report["log"].as_array().unwrap();
    assert!(log.iter().any(|line| line == "| v7 listens on 8080"));
    assert!(run.stderr.contains("the last saw: status 503"), "{run:?}");
    still_runs(&scope.candidate(), &id);
}

#[test]
fn attempts_are_exactly_so_many() {
    let server = Proxy::in_front_of("127.0.0.1:1", Fault::Status(503)).unwrap();
    let url = format!("http://{}/health", server.host());
    let mut command = step("probe-health").unwrap();
    command.args(["--url", &url, "--attempts", "4", "--interval", "10ms"]);
    let run = run(command, None).unwrap();
    let report = failed(&run, 30, "unhealthy");
    assert!(run.stderr.contains("after 4 attempts"), "{run:?}");
    assert_eq!(server.connections(), 4);
    assert_eq!(report["container"], url);
    assert_eq!(last_saw(&report), "status 503");
    assert!(report.get("log").is_none(), "{run:?}");
}

#[test]
fn the_old_scripts_variables_are_tries_and_plain_seconds() {
    let scope = Scope::new("variables");
    start(&scope, &Image::of(scope.app()).env("SICK", "1"));
    let mut command = step("probe-health").unwrap();
    command
        .env("APP_NAME", scope.app())
        .env("MAX_RETRIES", "2")
        .env("RETRY_INTERVAL", "1");
    let run = run(command, None).unwrap();
    let report = failed(&run, 30, "unhealthy");
    assert!(run.stderr.contains("after 2 attempts"), "{run:?}");
    let apart = report["last_attempts"][1]["at_ms"].as_u64().unwrap();
    assert!(apart >= 1000, "{run:?}");
}

#[test]
fn they_say_nothing_about_a_url() {
    let server = Proxy::in_front_of("127.0.0.1:1", Fault::Status(503)).unwrap();
    let mut command = step("probe-health").unwrap();
    command
        .args(["--url", &format!("http://{}/", server.host())])
        .args(["--attempts", "3", "--interval", "10ms"])
        .env("APP_NAME", "web")
        .env("MAX_RETRIES", "2")
        .env("RETRY_INTERVAL", "x");
    failed(&run(command, None).unwrap(), 30, "unhealthy");
    assert_eq!(server.connections(), 3);
}

#[test]
fn so_many_looks_in_a_row_must_be_good() {
    let scope = Scope::new("inarow");
    start(&scope, &Image::of(scope.app()));
    healthy(&probe(&scope, &[]));
    let report = healthy(&probe(&scope, &["--successes", "3"]));
    assert_eq!(report["attempts"], 3);

    let scope = Scope::new("inarow");
    start(&scope, &Image::of(scope.app()).env("SICK_AFTER_MS", "1"));
    let args = ["--successes", "2", "--attempts", "3", "--interval", "10ms"];
    failed(&probe(&scope, &args), 30, "unhealthy");
}

#[test]
fn sigterm_while_waiting_is_7_and_changes_nothing() {
    let scope = Scope::new("term");
    let id = start(&scope, &Image::of(scope.app()).env("SICK", "1"));
    let waiting = UnderWay::of(command(&scope, &["--within", "100s"]));
    let pid = Pid::from_child(&waiting.child);
    kill_process(pid, Signal::TERM).unwrap();
    let report = failed(&waiting.end(), 7, "interrupted");
    assert!(report["took_ms"].as_u64().unwrap() < 50_000);
    still_runs(&scope.candidate(), &id);
}

#[test]
fn sighup_while_waiting_is_ignored() {
    let scope = Scope::new("hup");
    let id = start(&scope, &Image::of(scope.app()).env("BOOT_MS", "4000"));
    let waiting = UnderWay::of(command(&scope, &["--within", "100s"]));
    let pid = Pid::from_child(&waiting.child);
    kill_process(pid, Signal::HUP).unwrap();
    healthy(&waiting.end());
    still_runs(&scope.candidate(), &id);
}
