//! The contract that all steps share: exit codes, reports and their schemas, streams, the engine, the baton.

mod baton;
mod codes;
mod engine;
mod identity;
mod schemas;
mod streams;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stage::docker::{Scope, docker};
use stage::ground::on_rootless_docker;
use stage::image::Image;
use stage::registry;
use stage::steps::{Run, run, step};

use crate::support::free_port;

/// Every step, with the first of its own exit codes.
const STEPS: [(&str, u32); 5] = [
    ("pull-image", 10),
    ("start-candidate", 20),
    ("probe-health", 30),
    ("promote", 40),
    ("prune-app", 50),
];

/// A step with all it needs to get as far as asking the engine.
fn ready(name: &str, app: &str) -> Command {
    let mut command = step(name).unwrap();
    match name {
        "pull-image" => command.arg(format!("127.0.0.1:1/{app}:v1")),
        "start-candidate" => command.args(["--app", app, "--image", app]),
        _ => command.args(["--app", app]),
    };
    command
}

fn asked(command: Command) -> Run {
    run(command, None).unwrap()
}

/// The report of a step that must have failed so.
fn failed(run: &Run, code: u32, kind: &str) -> Value {
    assert_eq!(run.code, i32::try_from(code).unwrap(), "{run:?}");
    let report = run.json().unwrap();
    assert_eq!(report["ok"], false, "{run:?}");
    assert_eq!(report["error"]["code"], code, "{run:?}");
    assert_eq!(report["error"]["kind"], kind, "{run:?}");
    assert!(!run.stderr.is_empty());
    report
}

fn done(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json().unwrap();
    assert_eq!(report["ok"], true, "{run:?}");
    report
}

/// An image of the app in the registry, and not on the engine.
fn pushed(scope: &Scope) -> String {
    let host = registry::shared().unwrap().host();
    let name = format!("{host}/{}:v1", scope.app());
    let built = Image::of(scope.app()).version("v1").build(&name).unwrap();
    built.push().unwrap();
    docker(["image", "rm", &name]).unwrap();
    name
}

/// What start-candidate is told where a container that publishes nothing has no address to be proven at.
fn published() -> Vec<String> {
    if !on_rootless_docker() {
        return Vec::new();
    }
    vec![format!("--publish={}:8080", free_port())]
}

/// The whole chain, each step fed with the report of the one before.
fn chain(scope: &Scope, image: &str) -> Vec<Value> {
    let published = published();
    let mut reports: Vec<Value> = Vec::new();
    for (name, _) in STEPS {
        let mut command = step(name).unwrap();
        let before = reports.last().map(Value::to_string);
        match &before {
            None => command.args([image, "--app", scope.app()]),
            Some(_) => command.args(["--from", "-"]),
        };
        if name == "start-candidate" {
            command.args(&published);
        }
        reports.push(done(&run(command, before.as_deref()).unwrap()));
    }
    reports
}

fn workspace_file(path: &str) -> String {
    let path = stage::cargo::workspace().join(Path::new(path));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
