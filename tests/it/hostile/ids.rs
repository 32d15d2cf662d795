//! Names that are the beginning of another container's id: that container is nobody's live one and nobody's candidate.

use serde_json::Value;
use stage::docker::{docker, inspect};
use stage::steps::Run;

use super::Recorded;
use crate::support::{App, failed, ok};

/// A running container that publishes a port, and beginnings of its id that are names as well.
fn bystander(app: &App) -> Vec<String> {
    let image = app.build("v1");
    let publish = format!("{}:8080", app.port);
    let id = docker([
        "run",
        "-d",
        "--name",
        app.name(),
        "-p",
        &publish,
        &image.name,
    ])
    .unwrap();
    [12, 32, 63].map(|length| id[..length].to_owned()).to_vec()
}

fn untouched(app: &App, before: &Value) {
    let now = app.container("").unwrap();
    for path in [
        "/Id",
        "/Name",
        "/State/StartedAt",
        "/State/Running",
        "/HostConfig/RestartPolicy",
    ] {
        assert_eq!(now.pointer(path), before.pointer(path), "{path}");
    }
    assert_eq!(app.answer(), "v1");
}

fn run(step: &str, words: &[&str]) -> Run {
    Recorded::new(step, words).run(None).0
}

#[test]
fn no_step_takes_them_for_the_container() {
    let app = App::new("prefix");
    let prefixes = bystander(&app);
    crate::support::eventually("it answers", || app.answer() == "v1");
    let before = app.container("").unwrap();
    let other = App::new("stray");
    let image = other.build("v2");
    for prefix in &prefixes {
        let candidate = format!("{prefix}-new");
        app.scope.also_container(&candidate);
        for name in ["--app", "--container"] {
            let who = [&["--app", other.name()][..], &[name, prefix]];
            let who = if name == "--app" {
                who[1].to_vec()
            } else {
                who.concat()
            };
            let with = |more: &[&'static str]| [&who[..], more].concat();
            failed(&run("probe-health", &with(&["--live"])), 31, "no_container");
            failed(
                &run("probe-health", &with(&["--within", "1s"])),
                31,
                "no_container",
            );
            failed(&run("promote", &with(&[])), 40, "no_candidate");
            failed(
                &run("start-candidate", &with(&["--previous"])),
                20,
                "image_absent",
            );
            let pruned = ok(&run("prune-app", &with(&["--candidate", "--dry-run"])));
            assert_eq!(pruned["containers_removed"].as_array().unwrap().len(), 0);
        }
        failed(
            &run("probe-health", &["--candidate", prefix]),
            31,
            "no_container",
        );

        let flags = [
            "--app",
            other.name(),
            "--container",
            prefix,
            "--image",
            &image.name,
        ];
        let started = ok(&run("start-candidate", &flags));
        assert_eq!(
            started["publish"].as_array().unwrap().len(),
            0,
            "nothing to inherit"
        );
        let flags = ["--app", other.name(), "--container", prefix, "--candidate"];
        let pruned = ok(&run("prune-app", &flags));
        assert_eq!(pruned["containers_removed"], serde_json::json!([candidate]));
        assert!(inspect(&candidate).unwrap().is_none());
        untouched(&app, &before);
    }
}

#[test]
fn a_promotion_under_such_a_name_leaves_the_other_container_alone() {
    let app = App::new("alone");
    let prefixes = bystander(&app);
    crate::support::eventually("it answers", || app.answer() == "v1");
    let before = app.container("").unwrap();
    let other = App::new("named");
    let image = other.build("v2");
    let name = &prefixes[0];
    let (candidate, old) = (format!("{name}-new"), format!("{name}-old"));
    let publish = format!("{}:8080", other.port);
    let who = ["--app", other.name(), "--container", name];
    let start = ["--image", &image.name, "-p", &publish];
    for step in 0..2 {
        ok(&run("start-candidate", &[&who[..], &start].concat()));
        ok(&run("probe-health", &who));
        ok(&run("promote", &who));
        untouched(&app, &before);
        assert_eq!(other.answer(), "v2", "{step}");
        assert!(inspect(name).unwrap().is_some());
        assert!(inspect(&candidate).unwrap().is_none());
        assert!(inspect(&old).unwrap().is_none());
    }
    let id = inspect(name).unwrap().unwrap()["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    docker(["rm", "-f", "-v", &id]).unwrap();
}

#[test]
fn a_report_that_names_another_container_by_id_is_not_believed() {
    let app = App::new("liar");
    bystander(&app);
    crate::support::eventually("it answers", || app.answer() == "v1");
    let before = app.container("").unwrap();
    let other = App::new("told");
    other.start(&other.build("v2"), &[]);
    let report = serde_json::json!({
        "step": "start-candidate", "ok": true, "app": other.name(), "candidate_id": before["Id"],
    });
    for (step, code, kind) in [
        ("probe-health", 31, "no_container"),
        ("promote", 40, "no_candidate"),
    ] {
        let flags = ["--from", "-"];
        let (run, _) = Recorded::new(step, &flags).run(Some(&report.to_string()));
        failed(&run, code, kind);
    }
    let flags = ["--candidate", "--from", "-"];
    let (run, _) = Recorded::new("prune-app", &flags).run(Some(&report.to_string()));
    assert_eq!(ok(&run)["containers_removed"].as_array().unwrap().len(), 0);
    assert!(other.container("-new").is_some());
    untouched(&app, &before);
}
