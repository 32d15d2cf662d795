//! Only what is the app's is touched, whatever else has names or labels like it.

mod keepers;
mod labels;
mod populations;

use serde_json::{Value, json};
use stage::docker::{docker, inspect};
use stage::image::Built;
use stage::marks::Marks;
use stage::process::Run;

use crate::support::{App, Fault, failed, ok, text};

/// What must stay the same of a container that is not the app's.
fn as_it_is(name: &str) -> Value {
    let all = inspect(name).unwrap().expect(name);
    json!({
        "id": all["Id"], "name": all["Name"], "image": all["Image"], "started": all["State"]["StartedAt"],
        "status": all["State"]["Status"], "mounts": all["Mounts"], "restarts": all["HostConfig"]["RestartPolicy"],
        "networks": all["NetworkSettings"]["Networks"],
    })
}

/// Asserts that the step refused a name because of the container with this id.
fn refused(run: &Run, id: &str) {
    let report = failed(run, 9, "name_taken");
    let message = text(&report["error"]["message"]);
    assert!(message.contains(id), "{message}");
}

fn run_as(name: &str, words: &[&str], image: &Built) -> String {
    let head = ["run", "-d", "--name", name].into_iter();
    docker(
        head.chain(words.iter().copied())
            .chain([image.name.as_str()]),
    )
    .unwrap()
}

/// Every step that changes any of the app's containers.
fn every_step(app: &App, image: &Built) -> Vec<Run> {
    let publish = format!("{}:8080", app.port);
    let start = ["--image", &image.name, "--publish", &publish, "--replace"];
    let start = || app.step("start-candidate", &start);
    vec![
        start(),
        app.promote(&[]),
        app.step("prune-app", &["--candidate", "--keep", "9"]),
    ]
}

#[test]
fn another_apps_live_container_under_one_of_the_names_is_9_in_every_step_and_stays_as_it_is() {
    for end in ["-new", "-next", "-old"] {
        let app = App::new("taken");
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        app.deploy(&v1, &[]);
        let (live, name) = (app.id(""), format!("{}{end}", app.name()));
        // The other app's as its own deployment made it.
        let other = App::new("other");
        let theirs = other.build("n1");
        let marks = Marks::candidate(other.name(), &theirs.name).unwrap();
        let marks = marks.of(&name).made_final();
        let id = marks.run(&name, &["-v", "/data", &theirs.name]).unwrap();
        let before = as_it_is(&name);
        for run in every_step(&app, &v2) {
            refused(&run, &id);
        }
        if end == "-new" {
            refused(&app.step("probe-health", &[]), &id);
        }
        assert_eq!(as_it_is(&name), before);
        app.assert_untouched(&live, &v1);
    }
}

#[test]
fn a_container_that_somebody_keeps_as_old_is_neither_removed_nor_renamed() {
    let app = App::new("kept");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let old = format!("{}-old", app.name());
    let port = format!("{}:8080", app.port);
    run_as(app.name(), &["-p", &port], &v1);
    app.candidate(&v2, &[]);
    // A backup of what the candidate was to replace, and something live in its place.
    docker(["rename", app.name(), &old]).unwrap();
    docker(["stop", "-t", "0", &old]).unwrap();
    run_as(app.name(), &["-p", &port], &v1);
    let (kept, live) = (app.id("-old"), app.id(""));
    for run in every_step(&app, &v2) {
        refused(&run, &kept);
    }
    app.assert_untouched(&live, &v1);
    assert_eq!(app.id("-old"), kept);
    docker(["rename", &old, &format!("{old}-kept")]).unwrap();
    app.scope.also_container(&format!("{old}-kept"));
    // The candidate was started beside the other one.
    failed(&app.promote(&[]), 40, "no_candidate");
    let again = ["--image", &v2.name, "--publish", &port, "--replace"];
    ok(&app.step("start-candidate", &again));
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.assert_live(&v2);
}

#[test]
fn what_is_live_for_another_app_is_not_taken_over() {
    let (app, other) = (App::new("mine"), App::new("theirs"));
    let (mine, theirs) = (app.build("v1"), other.build("v1"));
    other.deploy(&theirs, &[]);
    let before = as_it_is(other.name());
    let there = ["--container", other.name()];
    let start = ["--image", &mine.name];
    refused(
        &app.step("start-candidate", &[&there[..], &start].concat()),
        &other.id(""),
    );
    refused(&app.promote(&there), &other.id(""));
    let look = [&there[..], &["--live"]].concat();
    refused(&app.step("probe-health", &look), &other.id(""));
    refused(
        &app.step("prune-app", &[&there[..], &["--candidate"]].concat()),
        &other.id(""),
    );
    assert_eq!(as_it_is(other.name()), before);
}

#[test]
fn a_candidate_is_not_what_is_live_for_whoever_uses_its_name_as_the_live_one() {
    let app = App::new("nested");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.candidate(&v1, &[]);
    let (id, name) = (app.id("-new"), app.scope.candidate());
    let flags = ["--container", &name, "--image", &v2.name];
    refused(&app.step("start-candidate", &flags), &id);
    ok(&app.promote(&[]));
    app.assert_live(&v1);
}

#[test]
fn what_takes_a_name_in_the_middle_of_a_promotion_stays_and_the_app_answers() {
    for killed in [false, true] {
        let app = App::new("between");
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        app.deploy(&v1, &[]);
        app.candidate(&v2, &[]);
        let old = format!("{}-old", app.name());
        let end = if killed {
            "; kill -KILL $CALLER; exit 1"
        } else {
            ""
        };
        let take = format!("docker run -d --name {old} -v /data {}{end}", v1.name);
        let run = app.promote_with(Fault::Before("rename", &take), &[]);
        let before = as_it_is(&old);
        assert!(![0, 43].contains(&run.code), "{run:?}");
        assert!(["v1", "v2"].contains(&app.answer().as_str()), "{run:?}");
        let strange = app.id("-old");
        refused(&app.promote(&[]), &strange);
        assert!(["v1", "v2"].contains(&app.answer().as_str()));
        assert_eq!(as_it_is(&old), before);
        docker(["rm", "-f", "-v", &old]).unwrap();
        ok(&app.promote(&[]));
        app.assert_live(&v2);
    }
}
