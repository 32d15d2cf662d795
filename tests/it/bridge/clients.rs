//! Every kind of client, all at once, while an app is replaced.

use std::sync::{Arc, PoisonError};

use stage::clients::Peer;
use stage::docker::Scope;
use stage::image::Image;
use stage::load::{Load, Outcome};

use super::kinds::{is_served, kinds, seen_by, show};
use super::{RULES, bridged, lacks_bridge};
use crate::support::{App, free_port, ok};

/// Replaces `v1` by `v2` under all clients at once; the table of what they saw is printed.
fn swap_under_all(app: &App, old: &Image, new: &Image, flags: &[&str]) {
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (old, new) = (app.tagged(old, "v1"), app.tagged(new, "v2"));
    app.deploy(&old, &[]);
    let scope = Scope::new("clients");
    let peer = Peer::new().unwrap();
    let (served, unserved): (Vec<_>, Vec<_>) = kinds(app, &peer, &scope)
        .into_iter()
        .partition(|it| is_served(it.0));
    for (kind, outcome) in seen_by(&unserved, app, || ()) {
        assert!(outcome.sent() > 0, "{kind}");
        assert_eq!(outcome.failed(), outcome.sent(), "the engine serves {kind}");
    }
    let seen = seen_by(&served, app, || {
        bridged(app, &new, flags);
    });
    show(&seen);
    for (kind, outcome) in &seen {
        assert_eq!(outcome.failed(), 0, "{kind}: {:?}", outcome.kinds());
        assert_eq!(outcome.versions(), ["v1", "v2"], "{kind}");
    }
    app.assert_live(&new);
}

#[test]
fn no_client_notices_the_swap_of_an_app_that_answers_at_once() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("clients-quick");
    let image = |version| app.image(version);
    swap_under_all(&app, &image("v1"), &image("v2"), &[]);
}

#[test]
fn no_client_notices_the_swap_of_an_app_that_boots_slowly_and_ignores_sigterm() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("clients-slow");
    let image = |version| app.image(version).env("DEAF", "1").env("BOOT_MS", "2000");
    swap_under_all(&app, &image("v1"), &image("v2"), &["--stop-timeout", "2s"]);
}

#[test]
fn no_client_of_a_port_for_everybody_notices_the_swap_where_health_is_asked_at_one_on_loopback() {
    if lacks_bridge() {
        return;
    }
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("clients-inner");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let inner = format!("127.0.0.1:{}:8080", free_port());
    let outer = format!("{}:8080", app.port);
    let ports = ["--publish", &inner, "--publish", &outer];
    let candidate = |image: &str| {
        ok(&app.step(
            "start-candidate",
            &[&["--image", image], &ports[..]].concat(),
        ));
        app.prove_candidate();
    };
    candidate(&v1.name);
    ok(&app.promote(&[]));
    candidate(&v2.name);
    let (scope, peer) = (Scope::new("clients"), Peer::new().unwrap());
    let mut kinds = kinds(&app, &peer, &scope);
    kinds.retain(|it| is_served(it.0));
    let seen = seen_by(&kinds, &app, || {
        ok(&app.promote(&["--bridge", "require"]));
    });
    show(&seen);
    for (kind, outcome) in &seen {
        assert_eq!(outcome.failed(), 0, "{kind}: {:?}", outcome.kinds());
        assert_eq!(outcome.versions(), ["v1", "v2"], "{kind}");
    }
}

/// Replaces an app that is published at one address only, under a load from each of the clients.
fn swap_published_at(app: &App, address: &str, clients: Vec<Client>) {
    let (old, new) = (app.build("v1"), app.build("v2"));
    let publish = format!("{address}:{}:8080", app.port);
    let start = |image: &str| {
        ok(&app.step(
            "start-candidate",
            &["--image", image, "--publish", &publish],
        ));
        app.prove_candidate();
    };
    start(&old.name);
    ok(&app.promote(&[]));
    let loads: Vec<_> = clients.into_iter().map(|start| start()).collect();
    start(&new.name);
    let report = ok(&app.promote(&["--bridge", "require"]));
    for finish in loads {
        let seen = finish();
        assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
        assert_eq!(seen.versions(), ["v1", "v2"]);
    }
    let live = app.container("").expect("nothing is live");
    assert_eq!(live["Image"], new.id.as_str());
}

/// Starts a load; what it returns ends it.
type Client = Box<dyn FnOnce() -> Box<dyn FnOnce() -> Outcome>>;

fn from_here(target: String) -> Client {
    Box::new(move || {
        let load = Load::to(&target, "/", 100);
        Box::new(|| load.stop())
    })
}

#[test]
fn a_port_published_on_loopback_only_is_bridged_there_only() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("clients-loop");
    let target = app.addr().to_string();
    swap_published_at(&app, "127.0.0.1", vec![from_here(target)]);
    assert_eq!(app.answer(), "v2");
}

#[test]
fn a_port_published_on_one_address_of_the_host_is_bridged_there() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("clients-one");
    let peer = Arc::new(Peer::new().unwrap());
    let address = peer.host_v4();
    let target = format!("{address}:{}", app.port);
    let (there, at) = (Arc::clone(&peer), target.clone());
    let from_peer: Client = Box::new(move || {
        let load = there.load(&at, 100).unwrap();
        Box::new(|| load.finish().unwrap())
    });
    swap_published_at(&app, &address, vec![from_here(target), from_peer]);
}
