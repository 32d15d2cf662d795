//! What a list of containers shows for an image: its name, as far as that is as sure as its id.

use stage::docker::{docker, in_containerds_store};
use stage::ground::on_podman;
use stage::image::Built;
use stage::registry;
use stage::steps::run;

use crate::support::{App, Fault, ok};

/// The image of the container whose name ends so, as `docker ps` shows it.
fn shown(app: &App, end: &str) -> String {
    let name = format!("name=^/?{}{end}$", app.name());
    let shown = docker(["ps", "-a", "--filter", &name, "--format", "{{.Image}}"]);
    shown.unwrap().trim_start_matches("localhost/").to_owned()
}

/// Podman shows a digest in a tag's place.
fn is(shown: &str, name: &str) -> bool {
    let repository = name.rsplit_once(':').unwrap().0;
    let by_digest = shown.split_once('@').filter(|_| on_podman());
    by_digest.map_or(shown == name, |(shown, _)| shown == repository)
}

/// Whether the engine forgets an image's digest with its last tag.
fn loses_name() -> bool {
    in_containerds_store() || on_podman()
}

/// A release in the registry, and pulled by this tag.
fn pulled(app: &App, version: &str) -> Built {
    let host = registry::shared().unwrap().host();
    let name = format!("{host}/{}:{version}", app.name());
    let built = app.image(version).build(&name).unwrap();
    built.push().unwrap();
    docker(["image", "rm", "-f", &built.id]).unwrap();
    docker(["pull", &name]).unwrap();
    built
}

fn digest(image: &Built) -> String {
    let digests = ["image", "inspect", "-f", "{{index .RepoDigests 0}}"];
    let found = docker(digests.into_iter().chain([image.id.as_str()])).unwrap();
    found.split_once('@').unwrap().1.to_owned()
}

#[test]
fn the_tag_that_was_pulled_stands_beside_candidate_and_live_container() {
    let app = App::new("shown");
    let image = pulled(&app, "v1");
    app.candidate(&image, &[]);
    let candidate = shown(&app, "-new");
    assert!(is(&candidate, &image.name), "{candidate}");
    let named = &app.container("-new").unwrap()["Config"]["Image"];
    assert!(
        named.as_str().unwrap().ends_with(&digest(&image)),
        "{named}"
    );
    ok(&app.promote(&[]));
    assert_eq!(shown(&app, ""), candidate);
    app.assert_live(&image);
}

#[test]
fn an_image_that_is_asked_for_by_its_digest_is_shown_by_its_repository() {
    let app = App::new("digest");
    let image = pulled(&app, "v1");
    let repository = image.name.rsplit_once(':').unwrap().0;
    let by_digest = Built {
        name: format!("{repository}@{}", digest(&image)),
        id: image.id.clone(),
    };
    app.deploy(&by_digest, &[]);
    assert_eq!(shown(&app, "").split('@').next(), Some(repository));
    app.assert_live(&image);
}

#[test]
fn an_image_of_no_registry_is_shown_by_its_tag_and_one_that_is_named_by_its_id_by_that() {
    let app = App::new("local");
    let (first, second) = (app.build("v1"), app.build("v2"));
    app.deploy(&first, &[]);
    assert!(is(&shown(&app, ""), &first.name));
    app.deploy(
        &Built {
            name: second.id.clone(),
            ..second.clone()
        },
        &[],
    );
    let hex = second.id.trim_start_matches("sha256:");
    let by_id = shown(&app, "");
    assert!(
        hex.starts_with(by_id.trim_start_matches("sha256:")),
        "{by_id}"
    );
    app.assert_live(&second);
}

#[test]
fn a_tag_that_becomes_another_images_before_the_creation_has_no_other_image_run() {
    for (step, at) in [("start-candidate", "-new"), ("promote", "")] {
        let app = App::new("swapped");
        let (wanted, other) = (app.build("v1"), app.build("v2"));
        let publish = format!("{}:8080", app.port);
        let mut flags = vec!["--image", &wanted.name, "--publish", &publish];
        if step == "promote" {
            app.candidate(&wanted, &[]);
            flags.clear();
        }
        let script = format!("docker tag {} {}", other.name, wanted.name);
        let faulty = app.faulty(step, Fault::Before("create", &script), &flags);
        ok(&run(faulty, None).unwrap());
        let made = app.container(at).unwrap();
        assert_eq!(made["Image"], wanted.id.as_str(), "{step}");
        assert!(!is(&shown(&app, at), &wanted.name), "{step}");
    }
}

#[test]
fn the_live_container_has_its_name_although_the_tag_has_moved_since_the_candidate_was_made() {
    let app = App::new("moved");
    let (first, second) = (pulled(&app, "v1"), pulled(&app, "v2"));
    app.candidate(&first, &[]);
    docker(["tag", &second.name, &first.name]).unwrap();
    ok(&app.promote(&[]));
    app.assert_live(&first);
    assert!(loses_name() || is(&shown(&app, ""), &first.name));
}

#[test]
fn an_image_whose_name_and_digest_are_forgotten_goes_live_by_its_id() {
    let app = App::new("forgotten");
    let image = pulled(&app, "v1");
    app.candidate(&image, &[]);
    let kept = format!("{}:kept", app.name());
    docker(["tag", &image.id, &kept]).unwrap();
    docker(["image", "rm", &image.name]).unwrap();
    ok(&app.promote(&[]));
    app.assert_live(&image);
}

#[test]
fn a_release_that_is_gone_back_to_has_its_name_although_the_tag_is_another_images() {
    let app = App::new("back");
    let (first, second) = (pulled(&app, "v1"), pulled(&app, "v2"));
    app.deploy(&first, &[]);
    let report = app.deploy(&second, &[]);
    assert_eq!(report["replaced"]["image"], first.name.as_str());
    docker(["tag", &second.name, &first.name]).unwrap();
    let report = ok(&app.step("start-candidate", &["--previous"]));
    assert_eq!(report["image"], first.name.as_str());
    app.prove_candidate();
    let report = ok(&app.promote(&[]));
    assert_eq!(report["image"], first.name.as_str());
    assert_eq!(report["replaced"]["image"], second.name.as_str());
    app.assert_live(&first);
    assert!(loses_name() || is(&shown(&app, ""), &first.name));
}
