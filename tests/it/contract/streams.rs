//! One line on stdout, people's words on stderr, and what happens when nobody reads them.

use std::fs::File;
use std::io::{Read, pipe};
use std::process::{Command, Stdio};

use stage::docker::Scope;
use stage::process::code_of;

use super::{STEPS, asked, done, failed, ready, step};

/// All that steer steps.
const VARIABLES: [&str; 5] = [
    "APP_NAME",
    "CONTAINER_NAME",
    "APP_PORT",
    "DEPLOY_STEPS_DOCKER",
    "DEPLOY_STEPS_DEPLOY_ID",
];

#[test]
fn a_usage_error_is_2_with_nothing_on_stdout() {
    let wrong: [&[&str]; 5] = [
        &["--no-such-flag"],
        &["--app", "-x"],
        &["--engine-timeout", "never"],
        &["--from"],
        &["--schema=1"],
    ];
    for (name, _) in STEPS {
        for args in wrong {
            let mut command = step(name).unwrap();
            command.args(args);
            let run = asked(command);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name} {args:?}");
            assert!(!run.stderr.is_empty(), "{name} {args:?}");
        }
        let run = asked(step(name).unwrap());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name} alone");
    }
}

#[test]
fn help_and_version_are_on_stdout_and_show_nothing_of_the_environment() {
    for (name, _) in STEPS {
        let mut version = step(name).unwrap();
        version.arg("--version");
        let said = asked(version);
        let wanted = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((said.code, said.stdout, &*said.stderr), (0, wanted, ""));
        let mut help = step(name).unwrap();
        help.arg("--help");
        for variable in VARIABLES {
            help.env(variable, "hunter2");
        }
        let said = asked(help);
        assert_eq!((said.code, &*said.stderr), (0, ""));
        assert!(said.stdout.contains("--from") && !said.stdout.contains("hunter2"));
    }
}

#[test]
fn success_and_failure_are_one_line_each() {
    let scope = Scope::new("line");
    let run = asked(ready("prune-app", scope.app()));
    assert_eq!(done(&run)["step"], "prune-app");
    for (name, code, kind) in [
        ("start-candidate", 20, "image_absent"),
        ("probe-health", 31, "no_container"),
        ("promote", 40, "no_candidate"),
    ] {
        let report = failed(&asked(ready(name, scope.app())), code, kind);
        assert_eq!(report["step"], name);
        assert!(report["took_ms"].is_u64());
        assert!(
            report["error"]["hint"]
                .as_str()
                .is_some_and(|hint| !hint.is_empty())
        );
    }
}

#[test]
fn quiet_silences_progress_and_not_errors() {
    let scope = Scope::new("hush");
    let mut command = ready("probe-health", scope.app());
    let run = asked({
        command.arg("--quiet");
        command
    });
    let message = failed(&run, 31, "no_container")["error"]["message"].clone();
    assert!(run.stderr.contains(message.as_str().unwrap()), "{run:?}");
}

fn exit_code(command: &mut Command) -> (i32, String) {
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said).unwrap();
    }
    (code_of(child.wait().unwrap()), said)
}

#[test]
fn a_report_that_nobody_can_read_is_a_failure() {
    let scope = Scope::new("unread");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for stdout in [Stdio::from(writer), Stdio::from(full)] {
        let mut command = ready("prune-app", scope.app());
        let (code, said) = exit_code(command.stdout(stdout).stderr(Stdio::piped()));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("could not be written to stdout"), "{said}");
    }
}

#[test]
fn a_failure_keeps_its_code_when_nobody_can_read_the_report() {
    let scope = Scope::new("unread");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = ready("probe-health", scope.app());
    let (code, said) = exit_code(command.stdout(writer).stderr(Stdio::piped()));
    assert_eq!(code, 31, "{said}");
}

#[test]
fn a_stderr_that_nobody_reads_is_no_failure() {
    let scope = Scope::new("alone");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for stderr in [Stdio::from(writer), Stdio::from(full)] {
        let mut command = ready("probe-health", scope.app());
        let out = command.stderr(stderr).output().unwrap();
        assert_eq!(code_of(out.status), 31);
        let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(line["error"]["code"], 31);
    }
}
