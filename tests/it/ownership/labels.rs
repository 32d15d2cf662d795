//! Labels that came with an image say nothing of a container.

use serde_json::json;
use stage::docker::{docker, inspect};
use stage::image::Image;

use super::{as_it_is, refused, run_as};
use crate::resume::KILLED;
use crate::support::{App, Fault, failed, ok, text};

/// A label with all that an image could want to say.
fn label(name: &str, value: &str) -> String {
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("LABEL deploy-steps.{name}=\"{quoted}\"")
}

fn hostile_recipe(app: &App) -> String {
    let recipe = json!({
        "image": format!("{}:v1", app.name()), "image_id": format!("sha256:{}", "a".repeat(64)), "folder": "/",
        "options": ["-v", "/:/host", "--privileged"], "deploy_id": 999_999,
    });
    recipe.to_string()
}

/// An image of the app that says all of it.
fn hostile(app: &App) -> Image {
    let recipe = hostile_recipe(app);
    let previous = json!({"image": "web", "image_id": format!("sha256:{}", "a".repeat(64)), "recipe": recipe.parse::<serde_json::Value>().unwrap()});
    app.image("v1")
        .change(&label("app", app.name()))
        .change(&label("role", "final"))
        .change(&label("of", app.name()))
        .change(&label("candidate", &"c".repeat(64)))
        .change(&label("replaces", &"d".repeat(64)))
        .change(&label("recipe", &recipe))
        .change(&label("previous", &previous.to_string()))
}

#[test]
fn a_first_release_of_an_image_that_says_what_was_before_has_nothing_to_go_back_to() {
    let app = App::new("evil-first");
    let v1 = app.tagged(&hostile(&app), "v1");
    app.deploy(&v1, &["--cap-drop=ALL"]);
    let back = app.step("start-candidate", &["--previous"]);
    failed(&back, 20, "image_absent");
    assert_eq!(app.present(), [""]);
}

#[test]
fn what_a_person_started_from_such_an_image_is_taken_over_without_its_labels() {
    let app = App::new("evil-live");
    let (v1, v2) = (app.tagged(&hostile(&app), "v1"), app.build("v2"));
    let port = format!("{}:8080", app.port);
    run_as(app.name(), &["-p", &port], &v1);
    // Nor does its number keep a numbered deployment out.
    let flags = ["--image", &v2.name, "--publish", &port, "--deploy-id", "5"];
    ok(&app.step("start-candidate", &flags));
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.assert_live(&v2);
    ok(&app.step("start-candidate", &["--previous", "--", "--"]));
    let back = app.container("-new").unwrap();
    assert_eq!(back["HostConfig"]["Privileged"], false);
    assert_eq!(back["Mounts"], json!([]));
}

#[test]
fn what_was_committed_from_a_candidate_is_nobodys_candidate_and_any_release() {
    let app = App::new("committed");
    let v1 = app.build("v1");
    app.candidate(&v1, &[]);
    let image = format!("{}:committed", app.name());
    docker(["commit", &app.scope.candidate(), &image]).unwrap();
    ok(&app.promote(&[]));
    // Run by hand it has every label of a candidate.
    let id = docker(["run", "-d", "--name", &app.scope.candidate(), &image]).unwrap();
    refused(&app.promote(&[]), &id);
    refused(&app.step("prune-app", &["--candidate"]), &id);
    docker(["rm", "-f", &app.scope.candidate()]).unwrap();
    // Deployed it is a release as any other, also after a kill.
    let publish = format!("{}:8080", app.port);
    ok(&app.step(
        "start-candidate",
        &["--image", &image, "--publish", &publish],
    ));
    app.prove_candidate();
    let fault = Fault::After("rename", "kill -KILL $CALLER; exit 1");
    assert_eq!(app.promote_with(fault, &[]).code, KILLED);
    ok(&app.promote(&[]));
    assert_eq!(app.present(), [""]);
    let live = inspect(app.name()).unwrap().unwrap();
    assert_eq!(live["Config"]["Labels"]["deploy-steps.role"], "final");
}

#[test]
fn what_a_person_started_is_of_the_app_that_its_name_and_its_label_name_whoever_has_that_name_configured()
 {
    let (app, theirs) = (App::new("copied"), App::new("theirs"));
    let (v1, n1) = (app.build("v1"), theirs.build("n1"));
    let id = run_as(theirs.name(), &[], &n1);
    let before = as_it_is(theirs.name());
    let container = ["--container", theirs.name()];
    let start = [&["--image", &v1.name][..], &container].concat();
    for run in [
        app.step("start-candidate", &start),
        app.promote(&container),
        app.step("prune-app", &[&["--candidate"], &container[..]].concat()),
    ] {
        refused(&run, &id);
        let report = run.json().unwrap();
        let hint = text(&report["error"]["hint"]);
        assert!(hint.contains(&format!("app={}", theirs.name())), "{hint}");
    }
    assert_eq!(as_it_is(theirs.name()), before);
    // A label that does not name the container as well may be of any group.
    run_as(app.name(), &[], &n1);
    app.deploy(&v1, &[]);
    app.assert_live(&v1);
}
