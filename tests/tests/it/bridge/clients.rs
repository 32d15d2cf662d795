//! Every kind of client, all at once, while an app is replaced.

use std::sync::PoisonError;

use tests::clients::Peer;
use tests::docker::Scope;
use tests::image::Image;
use tests::load::Load;

use super::kinds::{SERVED_BY_PROXY_ONLY, kinds, seen_by, show};
use super::{RULES, bridged, has_proxy};
use crate::support::App;

/// Replaces `v1` by `v2` under all clients at once; the table of what they saw is printed.
fn swap_under_all(app: &App, old: &Image, new: &Image, flags: &[&str]) {
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (old, new) = (app.tagged(old, "v1"), app.tagged(new, "v2"));
    app.deploy(&old, &[]);
    let scope = Scope::new("clients");
    let peer = Peer::new().unwrap();
    let (served, unserved): (Vec<_>, Vec<_>) = kinds(app, &peer, &scope)
        .into_iter()
        .partition(|it| has_proxy() || !SERVED_BY_PROXY_ONLY.contains(&it.0));
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
    let app = App::new("clients-quick");
    let image = |version| app.image(version);
    swap_under_all(&app, &image("v1"), &image("v2"), &[]);
}

#[test]
fn no_client_notices_the_swap_of_an_app_that_boots_slowly_and_ignores_sigterm() {
    let app = App::new("clients-slow");
    let image = |version| app.image(version).env("DEAF", "1").env("BOOT_MS", "2000");
    swap_under_all(&app, &image("v1"), &image("v2"), &["--stop-timeout", "2s"]);
}

#[test]
fn a_port_published_on_loopback_only_is_bridged_there_only() {
    let app = App::new("clients-loop");
    let (old, new) = (app.build("v1"), app.build("v2"));
    let publish = format!("127.0.0.1:{}:8080", app.port);
    let flags = |image: &str| {
        [
            "--image".to_owned(),
            image.to_owned(),
            "--publish".to_owned(),
            publish.clone(),
        ]
    };
    let start = |image: &str| {
        let flags = flags(image);
        crate::support::ok(&app.step("start-candidate", &flags.each_ref().map(String::as_str)));
        app.prove_candidate();
    };
    start(&old.name);
    crate::support::ok(&app.promote(&[]));
    let load = Load::start(app.addr(), "/", 100);
    start(&new.name);
    let report = crate::support::ok(&app.promote(&["--bridge", "require"]));
    let seen = load.stop();
    assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"]);
    app.assert_live(&new);
}
