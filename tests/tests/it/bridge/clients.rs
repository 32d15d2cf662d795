//! Every kind of client, all at once, while an app is replaced.

use std::sync::PoisonError;
use std::time::Duration;

use tests::clients::{Peer, RemoteLoad};
use tests::docker::{Scope, docker};
use tests::image::Image;
use tests::load::{Load, Outcome};

use super::{RULES, bridged, say};
use crate::support::App;

/// Requests a second of each client, every one over a new connection.
const RATE: u32 = 40;

/// A client that is at work.
enum Client {
    Here(Load),
    Elsewhere(RemoteLoad),
}

/// A container that lives only for the network it is in.
fn bystander(scope: &Scope, app: &App, name: &str, network: &str) -> String {
    let name = format!("{}-{name}", app.name());
    let image = format!("{}:v1", app.name());
    docker(["run", "-d", "--name", &name, "--network", network, &image]).unwrap();
    scope.also_container(&name);
    name
}

/// The host's address on the network of this container.
fn gateway(container: &str) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
    docker(["container", "inspect", "--format", format, container]).unwrap()
}

/// One client of each kind that can reach a port published on every address.
fn clients(app: &App, peer: &Peer, scope: &Scope) -> Vec<(&'static str, Client)> {
    let other = format!("{}-net", app.name());
    docker(["network", "create", &other]).unwrap();
    scope.at_end(["network", "rm", &other]);
    let beside = bystander(scope, app, "beside", "bridge");
    let apart = bystander(scope, app, "apart", &other);
    let at = |host: &str| format!("{host}:{}", app.port);
    let here = |host: &str| Client::Here(Load::to(&at(host), "/", RATE));
    let v6 = format!("[{}]", peer.host_v6());
    let from_peer = |host: &str| Client::Elsewhere(peer.load(&at(host), RATE).unwrap());
    let within = |name: &str, host: &str| {
        Client::Elsewhere(RemoteLoad::beside(name, &at(host), RATE).unwrap())
    };
    vec![
        ("127.0.0.1", here("127.0.0.1")),
        ("localhost", here("localhost")),
        ("[::1]", here("[::1]")),
        ("own IPv4 address", here(&peer.host_v4())),
        ("own IPv6 address", here(&v6)),
        ("another host over IPv4", from_peer(&peer.host_v4())),
        ("another host over IPv6", from_peer(&v6)),
        (
            "container on the same network",
            within(&beside, &gateway(&beside)),
        ),
        (
            "container on another network",
            within(&apart, &gateway(&apart)),
        ),
        (
            "container on another network, by another address",
            within(&apart, &peer.host_v4()),
        ),
    ]
}

fn finish(clients: Vec<(&'static str, Client)>) -> Vec<(&'static str, Outcome)> {
    let end = |client| match client {
        Client::Here(load) => load.stop(),
        Client::Elsewhere(load) => load.finish().unwrap(),
    };
    clients
        .into_iter()
        .map(|(kind, client)| (kind, end(client)))
        .collect()
}

/// Replaces `v1` by `v2` under all clients at once; the table of what they saw is printed.
fn swap_under_all(app: &App, old: &Image, new: &Image, flags: &[&str]) {
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (old, new) = (app.tagged(old, "v1"), app.tagged(new, "v2"));
    app.deploy(&old, &[]);
    let scope = Scope::new("clients");
    let peer = Peer::new().unwrap();
    let clients = clients(app, &peer, &scope);
    std::thread::sleep(Duration::from_millis(500));
    bridged(app, &new, flags);
    std::thread::sleep(Duration::from_millis(500));
    let seen = finish(clients);
    say(&format!(
        "{:<50} {:>6} {:>6} {:>10}",
        "client", "sent", "failed", "slowest ms"
    ));
    for (kind, outcome) in &seen {
        say(&format!(
            "{kind:<50} {:>6} {:>6} {:>10.1}",
            outcome.sent(),
            outcome.failed(),
            outcome.slowest_ms()
        ));
    }
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
