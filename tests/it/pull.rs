//! pull-image against a real registry.

mod checks;
mod full_disk;
mod halfway;
mod lies;
mod outages;
mod platforms;
mod refusals;

use stage::docker::{Scope, docker};
use stage::image::{Built, Image};
use stage::registry;
use stage::steps::Run;

use crate::repository::Repository;
use crate::runs;
use crate::support::ok;

/// An image that is in a registry and not on the engine.
struct Pushed {
    name: String,
    id: String,
    digest: String,
}

fn push(image: &Image, name: &str) -> Pushed {
    let Built { id, name } = image.build(name).unwrap();
    let digest = Built {
        id: id.clone(),
        name: name.clone(),
    }
    .push()
    .unwrap();
    docker(["image", "rm", &name]).unwrap();
    Pushed { name, id, digest }
}

fn pull(words: &[&str]) -> Run {
    runs::run("pull-image", words)
}

/// A name in the registry that all tests share.
fn name(scope: &Scope, tag: &str) -> String {
    let host = registry::shared().unwrap().host();
    format!("{host}/{}:{tag}", scope.app())
}

/// The digest under which the registry itself has `host/repository:tag`.
fn registry_says(name: &str) -> String {
    let (repository, tag) = name.rsplit_once(':').unwrap();
    Repository::of(repository).digest(tag)
}

#[test]
fn a_pull_reports_exactly_what_came_and_the_next_one_that_nothing_changed() {
    let scope = Scope::new("pull");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let words = [&pushed.name, "--app", scope.app()];

    let run = pull(&words);
    let report = ok(&run);
    assert!(run.stderr.contains("pulling"), "{run:?}");
    assert_eq!(report["step"], "pull-image");
    assert_eq!(report["app"], scope.app());
    assert_eq!(report["container"], scope.app());
    assert_eq!(report["image"], pushed.name.as_str());
    assert_eq!(report["image_id"], pushed.id.as_str());
    assert_eq!(report["digest"], registry_says(&pushed.name));
    assert_eq!(report["changed"], true);
    assert_eq!(report["attempts"], 1);
    let size = docker(["image", "inspect", "-f", "{{.Size}}", &pushed.name]).unwrap();
    assert_eq!(report["size_bytes"].to_string(), size);

    let run = pull(&[&words[..], &["--quiet"]].concat());
    let again = ok(&run);
    assert_eq!(run.stderr, "");
    assert_eq!(again["changed"], false);
    for key in ["image_id", "digest", "size_bytes", "attempts"] {
        assert_eq!(again[key], report[key], "{key}");
    }
}

#[test]
fn a_moved_tag_is_a_change() {
    let scope = Scope::new("moved");
    let first = push(&Image::of(scope.app()), &name(&scope, "v1"));
    ok(&pull(&[&first.name]));
    docker(["tag", &first.name, &format!("{}-kept:v1", scope.app())]).unwrap();
    let second = push(&Image::of(scope.app()), &first.name);
    docker(["tag", &format!("{}-kept:v1", scope.app()), &first.name]).unwrap();

    let report = ok(&pull(&[&first.name]));
    assert_eq!(report["changed"], true);
    assert_eq!(report["image_id"], second.id.as_str());
    assert_eq!(report["digest"], second.digest.as_str());
    assert!(report.get("app").is_none(), "{report}");
}

#[test]
fn an_image_is_pulled_by_its_digest() {
    let scope = Scope::new("digest");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let repository = pushed.name.strip_suffix(":v1").unwrap();
    for by in [
        format!("{repository}@{}", pushed.digest),
        format!("{}@{}", pushed.name, pushed.digest),
    ] {
        let report = ok(&pull(&[&by, "--app", scope.app()]));
        assert_eq!(report["image"], by.as_str());
        assert_eq!(report["image_id"], pushed.id.as_str());
        assert_eq!(report["digest"], pushed.digest.as_str());
    }
}

#[test]
fn the_report_of_a_pull_is_the_baton_of_the_start() {
    let scope = Scope::new("baton");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let pulled = pull(&[&pushed.name, "--app", scope.app()]);
    docker(["tag", &pushed.name, &name(&scope, "kept")]).unwrap();
    Image::of(scope.app()).build(&pushed.name).unwrap();

    let mut start = stage::steps::step("start-candidate").unwrap();
    start.args(["--from", "-"]);
    let report = ok(&stage::steps::run(start, Some(&pulled.stdout)).unwrap());
    assert_eq!(report["app"], scope.app());
    assert_eq!(report["image"], pushed.name.as_str());
    // The tag means another image by now, and the start takes the one that was pulled.
    assert_eq!(report["image_id"], pushed.id.as_str());
    assert_eq!(report["digest"], pushed.digest.as_str());
}
