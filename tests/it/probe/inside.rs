//! Looks from inside the container, and the image's own HEALTHCHECK.

use serde_json::Value;
use stage::docker::{Scope, docker, inspect};
use stage::ground::on_podman;
use stage::image::Image;

use super::{failed, healthy, last_saw, probe, start_as, with_programs};
use crate::support::eventually;

/// A candidate that has this machine's programs and no port that could be asked.
fn start(scope: &Scope, image: &Image) -> String {
    let programs = with_programs();
    let mut options = vec!["--network=none"];
    options.extend(programs.iter().map(String::as_str));
    start_as(&scope.candidate(), scope, image, &options)
}

fn unhealthy(scope: &Scope, args: &[&str]) -> Value {
    let args = [args, &["--within", "2s"]].concat();
    failed(&probe(scope, &args), 30, "unhealthy")
}

#[test]
fn exec_is_healthy_when_the_program_ends_with_0_and_needs_no_address() {
    let scope = Scope::new("exec");
    let id = start(&scope, &Image::of(scope.app()));
    let report = healthy(&probe(&scope, &["--exec", "/usr/bin/test 1 -eq 1"]));
    assert_eq!(last_saw(&report), "exit 0");
    assert_eq!(report["target"], scope.candidate());
    let words = ["/usr/bin/test", "1", "-eq", "1"];
    assert_eq!(report["probe"]["exec"], serde_json::json!(words));
    super::still_runs(&scope.candidate(), &id);
}

#[test]
fn exec_is_30_with_the_programs_exit_code() {
    let scope = Scope::new("exec1");
    start(&scope, &Image::of(scope.app()));
    let report = unhealthy(&scope, &["--exec", "/usr/bin/test 1 -eq 2"]);
    assert_eq!(last_saw(&report), "exit 1");
    let report = unhealthy(&scope, &["--exec", "/usr/bin/no-such-program"]);
    let saw = last_saw(&report);
    assert!(
        saw.starts_with("exit 126") || saw.starts_with("exit 127"),
        "{saw}"
    );
}

#[test]
fn exec_that_does_not_end_is_given_up_look_by_look() {
    let scope = Scope::new("execlong");
    start(&scope, &Image::of(scope.app()));
    let args = ["--exec", "/usr/bin/sleep 300", "--timeout", "500ms"];
    assert_eq!(last_saw(&unhealthy(&scope, &args)), "no end in time");
}

#[test]
fn no_shell_reads_the_words_of_exec() {
    let scope = Scope::new("execsh");
    start(&scope, &Image::of(scope.app()));
    let report = healthy(&probe(&scope, &["--exec", "/usr/bin/test $HOME = $HOME"]));
    assert_eq!(report["probe"]["exec"][1], "$HOME");
    let report = unhealthy(&scope, &["--exec", "/usr/bin/true; /usr/bin/true"]);
    assert_ne!(last_saw(&report), "exit 0");
}

#[test]
fn a_crash_ends_the_exec_looks() {
    let scope = Scope::new("execcrash");
    start(
        &scope,
        &Image::of(scope.app()).env("CRASH_AFTER_MS", "4000"),
    );
    let args = ["--exec", "/usr/bin/false", "--within", "100s"];
    let report = failed(&probe(&scope, &args), 32, "crashed");
    assert_eq!(report["exit_code"], 4);
}

fn checked(scope: &Scope, healthcheck: &str) -> Image {
    Image::of(scope.app()).change(&format!("HEALTHCHECK {healthcheck}"))
}

/// Podman leaves it to systemd to run an image's check, and there is none here.
fn check_once(scope: &Scope) {
    if on_podman() {
        let _unhealthy_is_a_failure = docker(["healthcheck", "run", &scope.candidate()]);
    }
}

#[test]
fn docker_health_takes_the_engines_word_for_it() {
    let scope = Scope::new("dh");
    let check = r#"--interval=300ms --retries=1 CMD ["/usr/bin/true"]"#;
    start(&scope, &checked(&scope, check));
    check_once(&scope);
    let word =
        || inspect(&scope.candidate()).unwrap().unwrap()["State"]["Health"]["Status"].clone();
    eventually("healthy", || word() == "healthy");
    let report = healthy(&probe(&scope, &["--docker-health"]));
    assert_eq!(last_saw(&report), "healthy");
    assert_eq!(report["probe"]["docker_health"], true);
}

#[test]
fn docker_health_is_30_while_unhealthy() {
    let scope = Scope::new("dhsick");
    let check = r#"--interval=100ms --retries=1 CMD ["/usr/bin/false"]"#;
    start(&scope, &checked(&scope, check));
    check_once(&scope);
    let args = ["--docker-health", "--within", "5s"];
    let report = failed(&probe(&scope, &args), 30, "unhealthy");
    let saw = last_saw(&report);
    assert_eq!(saw, "unhealthy; its HEALTHCHECK run now: exit 1");
}

#[test]
fn docker_health_runs_the_check_itself_before_the_engine_does() {
    let scope = Scope::new("dhstart");
    // The engine looks for the first time after the interval.
    for check in [r#"["/usr/bin/true"]"#, "/usr/bin/true && exit 0"] {
        start(
            &scope,
            &checked(&scope, &format!("--interval=1h CMD {check}")),
        );
        let report = healthy(&probe(&scope, &["--docker-health"]));
        assert_eq!(last_saw(&report), "healthy, by its HEALTHCHECK run now");
        docker(["rm", "-f", &scope.candidate()]).unwrap();
    }
    start(&scope, &checked(&scope, "--interval=1h CMD exit 7"));
    let report = unhealthy(&scope, &["--docker-health"]);
    assert_eq!(
        last_saw(&report),
        "starting; its HEALTHCHECK run now: exit 7"
    );
}

#[test]
fn docker_health_is_33_at_once_for_a_container_without_a_check() {
    let scope = Scope::new("dhnone");
    start(&scope, &Image::of(scope.app()));
    let run = probe(&scope, &["--docker-health", "--within", "10m"]);
    let report = failed(&run, 33, "no_address");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("it has no HEALTHCHECK"), "{message}");
}

#[test]
fn a_crash_is_noticed_under_docker_health() {
    let scope = Scope::new("dhcrash");
    let image = checked(&scope, r#"--interval=1h CMD ["/usr/bin/false"]"#);
    start(&scope, &image.env("CRASH_AFTER_MS", "4000"));
    let args = ["--docker-health", "--within", "100s"];
    let report = failed(&probe(&scope, &args), 32, "crashed");
    assert_eq!(report["exit_code"], 4);
}
