//! prune-app against real images and containers: what stays, what goes, and that nobody else's is touched.

mod candidate;
mod images;
mod moved;
mod sharing;
mod trouble;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use stage::docker::{Scope, docker, inspect};
use stage::image::Image;
use stage::steps::{Run, run, step};

/// Builds `v1` to `vN` of the app, oldest first, and returns their ids.
fn versions(scope: &Scope, count: usize) -> Vec<String> {
    let build = |n| build(scope, &format!("v{n}"));
    (1..=count).map(build).collect()
}

fn build(scope: &Scope, tag: &str) -> String {
    let image = Image::of(scope.app()).version(tag);
    image.build(&tag_of(scope, tag)).unwrap().id
}

fn tag_of(scope: &Scope, tag: &str) -> String {
    format!("{}:{tag}", scope.app())
}

fn command(scope: &Scope, args: &[&str]) -> Command {
    let mut command = step("prune-app").unwrap();
    command.args(["--app", scope.app()]).args(args);
    command
}

fn prune(scope: &Scope, args: &[&str]) -> Run {
    run(command(scope, args), None).unwrap()
}

fn done(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{run:?}");
    let report = run.json().unwrap();
    assert_eq!(report["ok"], true, "{run:?}");
    assert_eq!(report["step"], "prune-app");
    assert_eq!(report["not_removed"], serde_json::json!([]), "{run:?}");
    report
}

/// The report of a prune that could not remove `what`, with the reason.
fn not_removed(run: &Run, what: &str) -> (Value, String) {
    assert_eq!(run.code, 50, "{run:?}");
    let report = run.json().unwrap();
    assert_eq!(report["ok"], false, "{run:?}");
    assert_eq!(report["error"]["code"], 50);
    assert_eq!(report["error"]["kind"], "not_removed");
    assert_eq!(report["not_removed"][0]["what"], what, "{run:?}");
    assert_eq!(report["not_removed"].as_array().unwrap().len(), 1);
    assert!(run.stderr.contains(&format!("{what} stays: ")), "{run:?}");
    let why = report["not_removed"][0]["why"].as_str().unwrap().to_owned();
    (report, why)
}

fn ids(list: &Value) -> BTreeSet<String> {
    let entries = list.as_array().unwrap().iter();
    entries
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect()
}

fn set<const N: usize>(ids: [&String; N]) -> BTreeSet<String> {
    ids.into_iter().cloned().collect()
}

/// The ids kept for the reason `why`.
fn kept(report: &Value, why: &str) -> BTreeSet<String> {
    let entries = report["kept"].as_array().unwrap().iter();
    let chosen = entries.filter(|entry| entry["why"] == why);
    chosen
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Every image with the app's label, with all its names, as the engine lists them.
fn listed(scope: &Scope) -> BTreeSet<String> {
    let filter = format!("label=app={}", scope.app());
    list(&filter)
}

fn list(filter: &str) -> BTreeSet<String> {
    let format = "{{.ID}} {{.Repository}}:{{.Tag}} {{.Digest}}";
    let head = ["image", "ls", "--all", "--digests", "--no-trunc"];
    let args = head
        .into_iter()
        .chain(["--format", format, "--filter", filter]);
    docker(args).unwrap().lines().map(str::to_owned).collect()
}

/// The ids of the app's images that the engine has.
fn present(scope: &Scope) -> BTreeSet<String> {
    let id = |line: &String| line.split(' ').next().unwrap().to_owned();
    listed(scope).iter().map(id).collect()
}

fn exists(container: &str) -> bool {
    inspect(container).unwrap().is_some()
}
