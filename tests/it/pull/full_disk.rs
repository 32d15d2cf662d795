//! A disk that is full in the middle of a pull.

use stage::docker::Scope;
use stage::image::Image;
use stage::steps::{self, Run};

use super::{name, push};
use crate::runs::finish;
use crate::small_engine::SmallEngine;
use crate::support::{eventually, failed, ok};

fn pull(engine: &SmallEngine, words: &[&str]) -> Run {
    let mut command = steps::step("pull-image").unwrap();
    command.args(words).env("DOCKER_HOST", engine.address());
    finish(command)
}

#[test]
fn a_disk_that_fills_up_during_the_pull_is_14_and_leaves_no_image() {
    let scope = Scope::new("full");
    let large = push(
        &Image::of(scope.app()).padding_mb(64),
        &name(&scope, "large"),
    );
    let small = push(&Image::of(scope.app()), &name(&scope, "small"));
    let engine = SmallEngine::start();
    let registry = engine.registry();
    let name = |tag| format!("{}/{}:{tag}", registry.host(), scope.app());

    let run = pull(&engine, &[&name("large"), "--min-free", "0"]);
    let report = failed(&run, 14, "disk_full");
    assert_eq!(report["image"], name("large"));
    assert!(!run.stderr.contains("trying again"), "{run:?}");
    assert!(!engine.docker(&["image", "inspect", &name("large")]));

    let pulled = || pull(&engine, &[&name("small"), "--min-free", "0"]);
    // Containerd throws away what it has got of an image a moment later.
    eventually("there is space again", || pulled().code == 0);
    let report = ok(&pulled());
    assert_eq!(report["image_id"], small.id.as_str());
    assert_ne!(report["image_id"], large.id.as_str());
}
