//! `--previous`: the way back to the release that the live container replaced.

use serde_json::json;
use tests::docker::docker;
use tests::image::Built;
use tests::registry;

use super::{nothing_left, recipe};
use crate::repository::Repository;
use crate::support::{App, failed, ok};

#[test]
fn without_a_container_or_without_a_release_that_it_replaced_it_is_20() {
    let app = App::new("first");
    let image = app.build("v1");
    failed(
        &app.step("start-candidate", &["--previous"]),
        20,
        "image_absent",
    );
    nothing_left(&app);
    docker(["run", "-d", "--name", app.name(), &image.name]).unwrap();
    failed(
        &app.step("start-candidate", &["--previous"]),
        20,
        "image_absent",
    );
    assert_eq!(app.present(), [""]);
}

#[test]
fn it_takes_image_ports_options_and_command_of_the_release_before() {
    let app = App::new("back");
    let (first, second) = (app.build("v1"), app.build("v2"));
    app.deploy(&first, &["-e", "WHO=first", "--", "one"]);
    app.deploy(&second, &["-e", "WHO=second"]);
    app.assert_live(&second);
    let report = ok(&app.step("start-candidate", &["--previous", "--deploy-id", "9"]));
    assert_eq!(report["image"], first.name.as_str());
    assert_eq!(report["image_id"], first.id.as_str());
    assert_eq!(report["publish"], json!([format!("{}:8080", app.port)]));
    assert_eq!(report["deploy_id"], 9);
    let candidate = app.container("-new").unwrap();
    assert_eq!(candidate["Image"], first.id.as_str());
    assert_eq!(recipe(&candidate)["options"], json!(["-e", "WHO=first"]));
    assert_eq!(candidate["Config"]["Cmd"], json!(["one"]));
    app.prove_candidate();
}

#[test]
fn the_digest_of_the_release_before_is_known_although_the_tag_has_moved_on_from_its_image() {
    let app = App::new("moved");
    let repository = format!("{}/{}", registry::shared().unwrap().host(), app.name());
    let name = format!("{repository}:latest");
    let deploy = |version: &str| {
        let built = app
            .image(version)
            .build(&format!("{repository}:{version}"))
            .unwrap();
        built.push().unwrap();
        let there = Repository::of(&repository);
        there.copy(version, "latest");
        docker(["image", "rm", "-f", &built.id]).unwrap();
        // By nothing that would keep a name for it.
        docker(["pull", &name]).unwrap();
        app.deploy(
            &Built {
                id: built.id,
                name: name.clone(),
            },
            &[],
        );
        there.digest(version)
    };
    let digest = deploy("v1");
    deploy("v2");
    let report = ok(&app.step("start-candidate", &["--previous"]));
    assert_eq!(report["digest"], digest);
    assert_eq!(recipe(&app.container("-new").unwrap())["digest"], digest);
}

#[test]
fn an_image_of_the_release_before_that_is_gone_is_20() {
    let app = App::new("pruned");
    let (first, second) = (app.build("v1"), app.build("v2"));
    app.deploy(&first, &[]);
    app.deploy(&second, &[]);
    docker(["image", "rm", "-f", &first.id]).unwrap();
    failed(
        &app.step("start-candidate", &["--previous"]),
        20,
        "image_absent",
    );
    app.assert_live(&second);
}
