//! Fixed addresses: the candidate has none, and the final container has those that are given or that the live one has.

use stage::docker::docker;
use stage::ground::on_podman;
use stage::image::Built;
use stage::skipped::skip;

use super::Called;
use crate::bridge::lacks_bridge;
use crate::support::{App, failed, ok, text};

/// The IPv4 address of such a container on the network.
fn address(app: &App, end: &str, network: &str) -> String {
    let container = app.container(end).unwrap();
    text(&container["NetworkSettings"]["Networks"][network]["IPAddress"]).to_owned()
}

#[test]
fn a_fixed_address_stays_the_live_containers_given_again_or_not() {
    let called = Called::new("fixed", Some("10.213.11"));
    let app = &called.app;
    let fixed = ["--ip", "10.213.11.9"];
    let v1 = app.build("v1");
    called.by_hand(&v1, &fixed);
    is_named_by_podman(app, &v1);
    // Podman does not show that it was asked for.
    let again: &[&str] = if on_podman() { &fixed } else { &[] };
    for (version, options) in [("v2", &fixed[..]), ("v3", again)] {
        let image = app.build(version);
        called.candidate(&image, options);
        assert_ne!(address(app, "-new", &called.front), fixed[1]);
        ok(&app.promote(&[]));
        app.assert_live(&image);
        assert_eq!(address(app, "", &called.front), fixed[1], "{version}");
        assert_eq!(called.names("")[&called.front], ["api"]);
    }
    is_named_by_podman(app, &v1);
}

/// There a release without options is told that it loses the address.
fn is_named_by_podman(app: &App, image: &Built) {
    if !on_podman() {
        return;
    }
    let report = ok(&app.step("start-candidate", &["--image", &image.name]));
    let lost = report["not_carried"].as_array().unwrap();
    assert!(lost.iter().any(|it| *it == "--ip"), "{report}");
    ok(&app.step("prune-app", &["--candidate", "--keep", "9"]));
}

#[test]
fn who_calls_a_fixed_address_keeps_its_answers() {
    if lacks_bridge() {
        return;
    }
    if on_podman() {
        return skip("podman does not show which address was asked for");
    }
    let called = Called::new("fixed-called", Some("10.213.15"));
    let app = &called.app;
    called.by_hand(&app.build("v1"), &["--ip", "10.213.15.9"]);
    let to = (called.front.as_str(), "10.213.15.9");
    called.replaced_under_callers(&app.build("v2"), &[], to);
}

#[test]
fn the_candidate_leaves_the_address_that_is_to_be_the_final_containers() {
    let called = Called::new("first-fixed", Some("10.213.12"));
    let app = &called.app;
    // Which the engine gives first.
    let fixed = ["--ip", "10.213.12.2"];
    let image = app.build("v1");
    called.candidate(&image, &fixed);
    assert_ne!(address(app, "-new", &called.front), fixed[1]);
    ok(&app.promote(&[]));
    app.assert_live(&image);
    assert_eq!(address(app, "", &called.front), fixed[1]);
}

#[test]
fn an_address_or_a_name_that_cannot_be_had_is_refused_before_anything_is_made() {
    let called = Called::new("no-address", Some("10.213.13"));
    let app = &called.app;
    let image = app.build("v1");
    let other = format!("other-of-{}", app.name());
    app.scope.also_container(&other);
    let taken = ["--network", &called.front, "--ip", "10.213.13.7"];
    docker([&["run", "-d", "--name", &other][..], &taken, &[&image.name]].concat()).unwrap();
    for options in [
        &taken[..],
        &["--network", &called.front, "--ip", "10.213.14.7"],
        &["--network", &called.front, "--ip", "here"],
        &["--network-alias", "api"],
    ] {
        if on_podman() && options[0] == "--network-alias" {
            // Podman's default network has names.
            continue;
        }
        let flags = [&["--image", &image.name, "--"], options].concat();
        let report = failed(&app.step("start-candidate", &flags), 22, "option_refused");
        assert!(
            text(&report["error"]["message"]).starts_with("not allowed"),
            "{report}"
        );
        assert!(app.present().is_empty(), "{options:?}");
    }
}
