//! Registries that send something else than what they say it is: none of it is taken for the image.

use stage::docker::Scope;
use stage::fault::{Fault, Wrong};
use stage::image::Image;

use super::outages::{behind_proxy, retries};
use super::{pull, push};
use crate::runs::has_image;
use crate::support::{failed, ok};

#[test]
fn another_manifest_than_the_digest_that_was_asked_for_is_13_after_another_try() {
    let scope = Scope::new("swapped");
    let (proxy, pushed) = behind_proxy(&scope);
    let other = pushed.name.replace(":v1", ":v2");
    let other = push(&Image::of(scope.app()), &other);
    let by_digest = pushed.name.replace(":v1", &format!("@{}", pushed.digest));
    proxy.set(Fault::Manifest("v2"));
    let run = pull(&[&by_digest, "--attempts", "2"]);
    failed(&run, 13, "digest_mismatch");
    assert!(proxy.struck() > 1 && retries(&run) == 1, "{run:?}");
    assert!(
        ![&by_digest, &other.id, &pushed.id]
            .iter()
            .any(|name| has_image(name))
    );

    proxy.set(Fault::None);
    assert_eq!(ok(&pull(&[&by_digest]))["image_id"], pushed.id.as_str());
}

#[test]
fn another_image_under_the_tag_is_13_for_those_who_expect_a_digest() {
    let scope = Scope::new("mistagged");
    let (proxy, pushed) = behind_proxy(&scope);
    let other = pushed.name.replace(":v1", ":v2");
    push(&Image::of(scope.app()), &other);
    proxy.set(Fault::Manifest("v2"));
    let expecting = [&*pushed.name, "--expect-digest", &pushed.digest];
    failed(&pull(&expecting), 13, "digest_mismatch");

    proxy.set(Fault::None);
    assert_eq!(ok(&pull(&expecting))["image_id"], pushed.id.as_str());
}

#[test]
fn a_layer_with_other_bytes_is_13_after_another_try() {
    let scope = Scope::new("flipped");
    let (proxy, pushed) = behind_proxy(&scope);
    proxy.set(Fault::Layers(Wrong::ByteAt(1_000_000)));
    let run = pull(&[&pushed.name, "--attempts", "2"]);
    failed(&run, 13, "digest_mismatch");
    assert!(proxy.struck() > 1 && retries(&run) == 1, "{run:?}");
    assert!(!has_image(&pushed.name) && !has_image(&pushed.id));

    proxy.set(Fault::None);
    assert_eq!(ok(&pull(&[&pushed.name]))["image_id"], pushed.id.as_str());
}
