//! Pulls that go wrong only after the manifest, in a layer.

use stage::docker::Scope;
use stage::fault::{Fault, Wrong};
use stage::steps;

use super::outages::{Running, behind_proxy};
use super::pull;
use crate::runs::has_image;
use crate::support::{eventually, failed, ok};

#[test]
fn access_that_is_withdrawn_before_a_layer_is_11_and_not_tried_again() {
    let scope = Scope::new("withdrawn");
    let (proxy, pushed) = behind_proxy(&scope);
    for (before, status) in [401, 403].into_iter().enumerate() {
        proxy.set(Fault::Layers(Wrong::Status(status)));
        let run = pull(&[&pushed.name]);
        failed(&run, 11, "access_denied");
        assert!(!run.stderr.contains("trying again"), "{run:?}");
        assert!(proxy.struck() > before, "{status}");
        assert!(!has_image(&pushed.name));
    }
    proxy.set(Fault::None);
    assert_eq!(ok(&pull(&[&pushed.name]))["image_id"], pushed.id.as_str());
}

#[test]
fn a_layer_that_breaks_off_is_gone_on_with() {
    let scope = Scope::new("broken-off");
    let (proxy, pushed) = behind_proxy(&scope);
    proxy.set(Fault::Layers(Wrong::ResetAfter(1_000_000)));
    let mut command = steps::step("pull-image").unwrap();
    command.arg(&pushed.name);
    let running = Running::start(command);
    eventually("a layer broke off", || proxy.struck() > 0);
    proxy.set(Fault::None);
    assert_eq!(ok(&running.end())["image_id"], pushed.id.as_str());
}

#[test]
fn a_layer_that_stalls_is_12_when_the_time_is_over_and_the_next_pull_has_it() {
    let scope = Scope::new("stuck");
    let (proxy, pushed) = behind_proxy(&scope);
    proxy.set(Fault::Layers(Wrong::StallAfter(1_000_000)));
    let run = pull(&[&pushed.name, "--timeout", "3s"]);
    failed(&run, 12, "registry_unreachable");
    assert!(proxy.struck() > 0 && !has_image(&pushed.name));
    proxy.set(Fault::None);
    assert_eq!(ok(&pull(&[&pushed.name]))["image_id"], pushed.id.as_str());
}
