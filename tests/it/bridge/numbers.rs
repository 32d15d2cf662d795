//! One number of the host's ports that leads to different ports of the app, by the address that is called.

use std::sync::PoisonError;

use stage::clients::Peer;
use stage::image::Built;
use stage::load::{Load, Outcome};

use super::{RULES, lacks_bridge};
use crate::support::{App, free_port, ok};

/// An app with a port for everybody and one for this host alone.
fn image(app: &App, version: &str) -> Built {
    let image = app.image(version).env("SECOND_PORT", "9090");
    app.tagged(&image.env("UDP_PORT", "5353"), version)
}

/// A candidate with these ports, proven.
fn candidate(app: &App, image: &Built, ports: &[String]) {
    let ports = ports.iter().flat_map(|it| ["--publish", it.as_str()]);
    let given = ["--image", &image.name, "--health-port", "8080"];
    let flags: Vec<&str> = given.into_iter().chain(ports).collect();
    ok(&app.step("start-candidate", &flags));
    ok(&app.step("probe-health", &[]));
}

/// What another host's clients and those on loopback see while a release with `ports` becomes one with `next`.
fn swapped(app: &App, peer: &Peer, ports: &[String], next: &[String]) -> [Outcome; 2] {
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let [v1, v2] = ["v1", "v2"].map(|version| image(app, version));
    candidate(app, &v1, ports);
    ok(&app.promote(&[]));
    candidate(app, &v2, next);
    let outside = peer.load(&format!("{}:{}", peer.host_v4(), app.port), 50);
    let (outside, here) = (outside.unwrap(), Load::start(app.addr(), "/", 50));
    let report = ok(&app.promote(&["--bridge", "require"]));
    assert_eq!(report["swap"]["bridge"], "on", "{report}");
    [outside.finish().unwrap(), here.stop()]
}

fn assert_saw(kind: &str, seen: &Outcome, answers: [&str; 2]) {
    assert_eq!(seen.failed(), 0, "{kind}: {:?}", seen.kinds());
    assert_eq!(seen.versions(), answers, "{kind}");
}

#[test]
fn nobody_outside_gets_the_port_that_is_for_loopback_alone_and_nobody_here_the_public_one() {
    if lacks_bridge() {
        return;
    }
    let (app, peer) = (App::new("number"), Peer::new().unwrap());
    let public = format!("{}:{}:9090", peer.host_v4(), app.port);
    let inner = format!("127.0.0.1:{}:8080", app.port);
    let ports = [public, inner];
    let [outside, here] = swapped(&app, &peer, &ports, &ports);
    assert_saw("another host", &outside, ["v1-second", "v2-second"]);
    assert_saw("loopback", &here, ["v1", "v2"]);
}

#[test]
fn addresses_that_change_the_ports_they_lead_to_lead_to_those_of_the_next_release() {
    if lacks_bridge() {
        return;
    }
    let (app, peer) = (App::new("changed"), Peer::new().unwrap());
    let at = |public: u16, inner: u16| {
        let public = format!("{}:{}:{public}", peer.host_v4(), app.port);
        [public, format!("127.0.0.1:{}:{inner}", app.port)]
    };
    let [outside, here] = swapped(&app, &peer, &at(9090, 8080), &at(8080, 9090));
    assert_saw("another host", &outside, ["v1-second", "v2"]);
    assert_saw("loopback", &here, ["v1", "v2-second"]);
}

#[test]
fn an_address_that_is_published_no_more_never_leads_to_a_port_that_it_did_not_lead_to() {
    if lacks_bridge() {
        return;
    }
    let (app, peer) = (App::new("closed"), Peer::new().unwrap());
    let public = format!("{}:{}:8080", peer.host_v4(), app.port);
    let inner = format!("127.0.0.1:{}:9090", app.port);
    let [outside, here] = swapped(&app, &peer, &[public, inner.clone()], &[inner]);
    assert_eq!(outside.versions(), ["v1"]);
    assert_saw("loopback", &here, ["v1-second", "v2-second"]);
}

#[test]
fn datagrams_from_outside_go_to_the_port_that_is_published_to_them() {
    if lacks_bridge() {
        return;
    }
    let (app, peer, udp) = (App::new("datagram"), Peer::new().unwrap(), free_port());
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let ports = [
        format!("127.0.0.1:{udp}:5354/udp"),
        format!("{}:{udp}:5353/udp", peer.host_v4()),
        format!("{}:8080", app.port),
    ];
    let [v1, v2] = ["v1", "v2"].map(|version| image(&app, version));
    candidate(&app, &v1, &ports);
    ok(&app.promote(&[]));
    candidate(&app, &v2, &ports);
    let outside = peer.datagrams(&format!("{}:{udp}", peer.host_v4()), 4);
    ok(&app.promote(&["--bridge", "require"]));
    assert_saw(
        "another host",
        &outside.unwrap().finish().unwrap(),
        ["v1", "v2"],
    );
}
