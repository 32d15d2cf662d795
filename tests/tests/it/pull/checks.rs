//! What is asked of an image besides that it comes: digest, label, platform, space.

use tests::docker::{Scope, docker};
use tests::fault::{Fault, Proxy};
use tests::image::Image;
use tests::registry;

use super::{MANIFEST, name, pull, push, registry_says};
use crate::runs::has_image;
use crate::support::{failed, ok};

const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn the_expected_digest_is_let_through_and_another_is_13() {
    let scope = Scope::new("expect");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let report = ok(&pull(&[&pushed.name, "--expect-digest", &pushed.digest]));
    assert_eq!(report["digest"], pushed.digest.as_str());

    let run = pull(&[&pushed.name, "--expect-digest", OTHER]);
    let report = failed(&run, 13, "digest_mismatch");
    assert_eq!(report["digest"], pushed.digest.as_str());
    assert_eq!(report["image"], pushed.name.as_str());
    assert!(run.stderr.contains(OTHER), "{run:?}");
}

#[test]
fn a_tag_that_was_moved_after_the_build_is_13() {
    let scope = Scope::new("after");
    let first = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let second = push(&Image::of(scope.app()), &first.name);
    let run = pull(&[&first.name, "--expect-digest", &first.digest]);
    let report = failed(&run, 13, "digest_mismatch");
    assert_eq!(report["digest"], second.digest.as_str());
}

/// Puts the manifest of `name` under `tag` again, with a blank at its end: other digest, same image.
fn push_again(name: &str, tag: &str) -> String {
    let (host, rest) = name.split_once('/').unwrap();
    let (repository, old) = rest.split_once(':').unwrap();
    let url = |tag| format!("http://{host}/v2/{repository}/manifests/{tag}");
    let mut answer = ureq::get(url(old))
        .header("Accept", MANIFEST)
        .call()
        .unwrap();
    let manifest = answer.body_mut().read_to_string().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap();
    ureq::put(url(tag))
        .header("Content-Type", kind)
        .send(format!("{manifest} "))
        .unwrap();
    registry_says(&format!("{host}/{repository}:{tag}"))
}

#[test]
fn an_image_that_has_two_digests_is_told_by_the_one_that_was_asked_for() {
    let scope = Scope::new("twice");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let again = push_again(&pushed.name, "v2");
    assert_ne!(again, pushed.digest);
    ok(&pull(&[&pushed.name]));

    let v2 = name(&scope, "v2");
    for (image, expected) in [(&pushed.name, &pushed.digest), (&v2, &again)] {
        let report = ok(&pull(&[image, "--expect-digest", expected]));
        assert_eq!(report["image_id"], pushed.id.as_str());
        assert_eq!(report["digest"], expected.as_str());
        let repository = pushed.name.strip_suffix(":v1").unwrap();
        let report = ok(&pull(&[&format!("{repository}@{expected}")]));
        assert_eq!(report["digest"], expected.as_str());
    }
}

#[test]
fn an_image_without_the_apps_label_is_15_unless_that_is_allowed() {
    let scope = Scope::new("bare");
    let pushed = push(&Image::of(scope.app()).unlabelled(), &name(&scope, "v1"));
    scope.at_end(["image", "rm", "-f", &pushed.name]);
    let words = [&pushed.name, "--app", scope.app()];
    let report = failed(&pull(&words), 15, "unlabelled");
    assert_eq!(report["image"], pushed.name.as_str());

    let report = ok(&pull(&[&words[..], &["--allow-unlabelled"]].concat()));
    assert_eq!(report["image_id"], pushed.id.as_str());
    ok(&pull(&words[..1]));
}

#[test]
fn an_image_of_another_app_is_15() {
    let scope = Scope::new("other");
    let image = Image::of(&format!("{}-not", scope.app()));
    let pushed = push(&image, &name(&scope, "v1"));
    scope.at_end(["image", "rm", "-f", &pushed.name]);
    let run = pull(&[&pushed.name, "--app", scope.app()]);
    failed(&run, 15, "unlabelled");
    assert!(run.stderr.contains(&format!("app={}", scope.app())));
}

#[test]
fn another_platform_than_the_images_own_is_10() {
    let scope = Scope::new("arch");
    let image = Image::of(scope.app());
    let here = image.build(&format!("{}:here", scope.app())).unwrap();
    let platform = "{{.Os}}/{{.Architecture}}";
    let own = docker(["image", "inspect", "-f", platform, &here.id]).unwrap();
    let pushed = push(&image, &name(&scope, "v1"));
    let other = if own.ends_with("arm64") {
        "linux/amd64"
    } else {
        "linux/arm64"
    };
    let run = pull(&[&pushed.name, "--platform", other]);
    failed(&run, 10, "image_not_found");

    let report = ok(&pull(&[&pushed.name, "--platform", &own]));
    assert_eq!(report["image_id"], pushed.id.as_str());
    let run = pull(&[&pushed.name, "--platform", other]);
    failed(&run, 10, "image_not_found");
    assert!(has_image(&pushed.name), "it was there before");
}

#[test]
fn less_space_than_asked_for_is_14_before_anything_is_pulled() {
    let scope = Scope::new("space");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let proxy = Proxy::in_front_of(registry::shared().unwrap().host(), Fault::None).unwrap();
    let through = format!("{}/{}:v1", proxy.host(), scope.app());
    let report = failed(&pull(&[&through, "--min-free", "4096TiB"]), 14, "disk_full");
    assert!(report["free_bytes"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(proxy.connections(), 0);
    assert!(!has_image(&through));
    ok(&pull(&[&pushed.name, "--min-free", "1KiB"]));
}
