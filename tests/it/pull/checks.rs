//! What is asked of an image besides that it comes: digest, label, platform, space.

use std::process::Command;

use stage::docker::{Scope, docker, in_containerds_store};
use stage::fault::{Fault, Proxy};
use stage::image::Image;
use stage::registry;
use stage::steps::step;

use super::{name, pull, push};
use crate::repository::Repository;
use crate::runs::{finish, has_image};
use crate::support::{failed, ok, text};

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

#[test]
fn an_image_that_has_two_digests_is_told_by_the_one_that_was_asked_for() {
    let scope = Scope::new("twice");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let repository = pushed.name.strip_suffix(":v1").unwrap();
    let again = Repository::of(repository).copy_with_blank("v1", "v2");
    assert_ne!(again, pushed.digest);
    ok(&pull(&[&pushed.name]));

    let v2 = name(&scope, "v2");
    for (image, expected) in [(&pushed.name, &pushed.digest), (&v2, &again)] {
        let report = ok(&pull(&[image, "--expect-digest", expected]));
        // Containerd's store has one image for each.
        let id = match in_containerds_store() {
            true => expected,
            false => &pushed.id,
        };
        assert_eq!(report["image_id"], id.as_str());
        assert_eq!(report["digest"], expected.as_str());
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

#[test]
fn the_disk_that_containerd_fills_is_looked_at_where_it_keeps_the_images() {
    let scope = Scope::new("two-disks");
    let pushed = push(&Image::of(scope.app()), &name(&scope, "v1"));
    let step = step("pull-image").unwrap();
    let small = "mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/containerd && \
                 mount -t tmpfs -o size=1m tmpfs /var/lib/containerd && exec \"$@\"";
    let mut pull = Command::new("unshare");
    pull.args(["--mount", "sh", "-c", small, "sh"])
        .arg(step.get_program());
    pull.args([&pushed.name, "--min-free", "64MiB"]);
    let run = finish(pull);
    if !in_containerds_store() {
        ok(&run);
        return;
    }
    let report = failed(&run, 14, "disk_full");
    let message = text(&report["error"]["message"]);
    assert!(message.contains("/var/lib/containerd"), "{message}");
    assert!(report["free_bytes"].as_u64() <= Some(1 << 20), "{report}");
    assert!(!has_image(&pushed.name));
}

#[test]
fn an_image_with_labels_that_only_containers_of_the_steps_have_is_16() {
    let scope = Scope::new("labelled");
    for label in ["LABEL deploy-steps.recipe={}", "LABEL deploy-steps.later=1"] {
        let pushed = push(&Image::of(scope.app()).change(label), &name(&scope, "v1"));
        let report = failed(&pull(&[&pushed.name]), 16, "labelled_as_ours");
        let message = text(&report["error"]["message"]);
        assert!(message.contains("deploy-steps."), "{message}");
    }
}
