//! Which app a step works on comes from one source: flags, the report before, or else the environment.

use std::process::Command;

use serde_json::json;
use stage::docker::Scope;
use stage::image::Image;
use stage::marks::Marks;
use stage::process::STEERING;
use stage::steps::{Run, run};

use super::{STEPS, asked, done, failed, step};

const NOWHERE: [&str; 2] = ["--docker", "/nowhere/docker"];
/// The five variables of the old script.
const VARIABLES: &[&str] = STEERING.first_chunk::<5>().unwrap();

/// What a step needs besides an app, to get as far as looking for docker.
fn beside_the_app(name: &str) -> &'static [&'static str] {
    match name {
        "pull-image" => &["web:v1"],
        "start-candidate" => &["--image=web:v1"],
        _ => &[],
    }
}

/// A step that finds no docker, in an environment where each variable holds `value`.
fn told(name: &str, words: &[&str], value: &str) -> Command {
    let mut command = step(name).unwrap();
    command.args(beside_the_app(name)).args(NOWHERE).args(words);
    for variable in VARIABLES {
        command.env(variable, value);
    }
    command
}

/// The step got as far as looking for docker, and its first words are about that.
fn assert_unread(run: &Run) {
    let report = failed(run, 3, "no_docker");
    let message = report["error"]["message"].as_str().unwrap();
    let first = run.stderr.lines().next().unwrap();
    assert!(first.ends_with(message), "{run:?}");
    assert!(!run.stderr.contains("from "), "{run:?}");
}

#[test]
fn where_a_flag_names_the_app_no_variable_is_read() {
    assert_eq!(VARIABLES[0], "CONTAINER_NAME");
    for (name, _) in STEPS {
        for value in ["other", "5", "not a value", "--rm"] {
            assert_unread(&asked(told(name, &["--app", "web"], value)));
            let both = ["--app", "web", "--container", "box"];
            assert_unread(&asked(told(name, &both, value)));
        }
    }
    for words in [["--candidate", "web-new"], ["--candidate", "other-new"]] {
        assert_unread(&asked(told("probe-health", &words, "not a value")));
    }
}

#[test]
fn where_a_report_names_the_app_or_a_container_no_variable_is_read() {
    let app = json!({"ok": true, "app": "web", "image": "web:v1"});
    for (name, _) in STEPS {
        let command = told(name, &["--from", "-"], "not a value");
        assert_unread(&run(command, Some(&app.to_string())).unwrap());
        for names in ["container", "candidate"] {
            let report = json!({"ok": true, names: "box"}).to_string();
            let command = told(name, &["--from", "-"], "5");
            let run = run(command, Some(&report)).unwrap();
            if name == "pull-image" {
                assert_unread(&run);
                continue;
            }
            assert_eq!((run.code, &*run.stdout), (2, ""), "{name}: {run:?}");
            assert!(run.stderr.contains("--app APP is needed"), "{run:?}");
        }
    }
}

#[test]
fn a_container_alone_is_a_name_beside_which_no_variable_is_read() {
    for (name, _) in STEPS {
        let run = asked(told(name, &["--container", "box"], "other"));
        if name == "pull-image" {
            assert_unread(&run);
            continue;
        }
        assert_eq!((run.code, &*run.stdout), (2, ""), "{name}: {run:?}");
        assert!(run.stderr.contains("--app APP is needed"), "{run:?}");
    }
}

#[test]
fn the_first_line_says_which_variables_were_read() {
    let names = "app 55 (from APP_NAME), container 55 (from CONTAINER_NAME)";
    for (name, more) in [
        ("pull-image", ""),
        ("start-candidate", ", health-port 55 (from APP_PORT)"),
        (
            "probe-health",
            ", port 55 (from APP_PORT), interval 55 (from RETRY_INTERVAL), attempts 55 (from MAX_RETRIES)",
        ),
        ("promote", ", port 55 (from APP_PORT)"),
        ("prune-app", ""),
    ] {
        let run = asked(told(name, &[], "55"));
        failed(&run, 3, "no_docker");
        let first = run.stderr.lines().next().unwrap();
        assert_eq!(first, format!("{name}: {names}{more}"));
        assert_unread(&asked(told(name, &["--quiet"], "55")));
    }
    let given = asked(told("promote", &["--port", "80"], "55"));
    let first = given.stderr.lines().next().unwrap();
    assert_eq!(first, format!("promote: {names}"));
}

#[test]
fn an_empty_variable_is_none() {
    for (name, _) in STEPS {
        let mut command = told(name, &[], "");
        command.env("APP_NAME", "web");
        let run = asked(command);
        failed(&run, 3, "no_docker");
        let first = run.stderr.lines().next().unwrap();
        assert_eq!(first, format!("{name}: app web (from APP_NAME)"));
    }
}

#[test]
fn without_the_name_of_an_app_no_other_variable_is_read() {
    for (name, _) in STEPS {
        for app in [None, Some("")] {
            let mut command = told(name, &[], "not a value");
            match app {
                Some(app) => command.env("APP_NAME", app),
                None => command.env_remove("APP_NAME"),
            };
            let run = asked(command);
            if name == "pull-image" {
                assert_unread(&run);
                continue;
            }
            assert_eq!((run.code, &*run.stdout), (2, ""), "{name}: {run:?}");
            assert!(run.stderr.contains("--app APP is needed"), "{run:?}");
        }
    }
}

#[test]
fn a_variable_that_is_read_and_malformed_is_a_usage_error_that_says_where_it_is_from() {
    for (name, variables) in [
        ("pull-image", &["CONTAINER_NAME"][..]),
        ("start-candidate", &["CONTAINER_NAME", "APP_PORT"]),
        ("probe-health", &VARIABLES[2..]),
        ("promote", &["CONTAINER_NAME", "APP_PORT"]),
        ("prune-app", &["CONTAINER_NAME"]),
    ] {
        for variable in variables {
            let mut command = told(name, &[], "");
            command.env("APP_NAME", "web").env(variable, "a b");
            let run = asked(command);
            assert_eq!((run.code, &*run.stdout), (2, ""), "{name}: {run:?}");
            assert!(run.stderr.contains("APP_NAME is set"), "{run:?}");
        }
    }
}

#[test]
fn help_names_each_variable_of_a_step_and_when_it_counts() {
    for (name, hints) in [
        ("start-candidate", &["APP_PORT"][..]),
        (
            "probe-health",
            &["APP_PORT", "MAX_RETRIES", "RETRY_INTERVAL"],
        ),
        ("promote", &["APP_PORT"]),
        ("prune-app", &[]),
        ("pull-image", &[]),
    ] {
        let mut command = step(name).unwrap();
        let said = asked({
            command.arg("--help");
            command
        });
        let words: Vec<&str> = said.stdout.split_whitespace().collect();
        let said = words.join(" ");
        assert!(said.contains("[env: APP_NAME, where no flag"), "{said}");
        for hint in [&["CONTAINER_NAME"], hints].concat() {
            let hint = format!("[env: {hint}, beside APP_NAME]");
            assert!(said.contains(&hint), "{hint}: {said}");
        }
        let all = said.matches("beside APP_NAME]").count();
        assert_eq!(all, hints.len() + 1, "{said}");
    }
}

#[test]
fn a_given_app_does_not_get_the_container_of_the_report_of_another() {
    let scope = Scope::new("given");
    let tag = format!("{}:v1", scope.app());
    Image::of(scope.app()).build(&tag).unwrap();
    let candidate = scope.candidate();
    let marks = Marks::candidate(scope.app(), &tag).unwrap();
    let words = ["-p", "127.0.0.1::8080", &tag];
    marks.run(&candidate, &words).unwrap();
    for report in [
        json!({"ok": true, "app": "somebody-else", "container": "somebody-else"}),
        json!({"ok": true, "container": "somebody-else"}),
    ] {
        let mut command = step("probe-health").unwrap();
        command.args(["--from", "-", "--app", scope.app()]);
        let report = done(&run(command, Some(&report.to_string())).unwrap());
        assert_eq!(report["container"], scope.app());
        assert_eq!(report["candidate"], candidate);
    }
    let same = json!({"ok": true, "app": scope.app(), "container": "its-own"}).to_string();
    let mut command = step("probe-health").unwrap();
    command.args(["--from", "-", "--app", scope.app()]);
    let report = failed(&run(command, Some(&same)).unwrap(), 31, "no_container");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("its-own-new"), "{message}");
}

#[test]
fn a_variable_that_is_empty_is_none_whatever_it_is_for() {
    let empty = tempfile::tempdir().unwrap();
    for (name, _) in STEPS {
        let mut command = step(name).unwrap();
        command
            .args(beside_the_app(name))
            .args(["--app", "web"])
            .env("PATH", empty.path());
        for variable in STEERING {
            command.env(variable, "");
        }
        let report = failed(&asked(command), 3, "no_docker");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains("neither docker nor podman"), "{message}");
    }
}
