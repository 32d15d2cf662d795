//! The kinds of clients that a published port has, and what each sees of a deed.

use std::time::Duration;

use stage::clients::{Peer, RemoteLoad};
use stage::docker::{Scope, default_network, docker, major_version};
use stage::ground::{on_podman, on_vm};
use stage::load::{Load, Outcome};

use super::{has_proxy, say};
use crate::support::App;

/// Requests a second of each client, every one over a new connection; an emulated machine has to make them, too.
fn rate() -> u32 {
    if on_vm() { 1 } else { 40 }
}

/// Clients of each kind that ask by UDP.
const BY_DATAGRAMS: u16 = 4;

/// Without its own proxy the engine serves these at no time, deployment or not: nothing of it listens on
/// IPv6, and it lets nobody cross from one of its networks to another. Podman and Docker 29 let them cross.
const SERVED_BY_PROXY_ONLY: [&str; 5] = [
    "[::1]",
    "own IPv6 address",
    "another host over IPv6",
    "container on another network",
    "container on another network, by another address",
];

/// Whether the engine itself serves clients of this kind.
pub(super) fn is_served(kind: &str) -> bool {
    let lets_cross = on_podman() || major_version().unwrap() >= 29;
    let by_proxy_only = if lets_cross { 3 } else { 5 };
    has_proxy() || !SERVED_BY_PROXY_ONLY[..by_proxy_only].contains(&kind)
}

/// Where a client is.
pub(crate) enum Place<'a> {
    Here,
    Peer(&'a Peer),
    Within(String),
}

/// A kind of client: its name, where it is, and the host it asks.
pub(crate) type Kind<'a> = (&'static str, Place<'a>, String);

/// Clients that are at work.
pub(super) enum Client {
    Here(Load),
    Elsewhere(RemoteLoad),
}

impl Client {
    /// One that asks over new connections.
    pub(super) fn start(place: &Place<'_>, target: &str) -> Client {
        let elsewhere = match place {
            Place::Here => return Client::Here(Load::to(target, "/", rate())),
            Place::Peer(peer) => peer.load(target, rate()),
            Place::Within(container) => RemoteLoad::beside(container, target, rate()),
        };
        Client::Elsewhere(elsewhere.unwrap())
    }

    /// Some that ask by UDP, one half of which keeps its port.
    pub(super) fn by_datagrams(place: &Place<'_>, target: &str) -> Client {
        let elsewhere = match place {
            Place::Here => return Client::Here(Load::datagrams(target, BY_DATAGRAMS)),
            Place::Peer(peer) => peer.datagrams(target, BY_DATAGRAMS),
            Place::Within(container) => {
                RemoteLoad::datagrams_beside(container, target, BY_DATAGRAMS)
            }
        };
        Client::Elsewhere(elsewhere.unwrap())
    }

    fn finish(self) -> Outcome {
        match self {
            Client::Here(load) => load.stop(),
            Client::Elsewhere(load) => load.finish().unwrap(),
        }
    }
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

/// Each kind of client that can ask for a port published on every address.
pub(crate) fn kinds<'a>(app: &App, peer: &'a Peer, scope: &Scope) -> Vec<Kind<'a>> {
    let other = format!("{}-net", app.name());
    docker(["network", "create", &other]).unwrap();
    scope.at_end(["network", "rm", &other]);
    let beside = bystander(scope, app, "beside", default_network());
    let apart = bystander(scope, app, "apart", &other);
    let (v4, v6) = (peer.host_v4(), format!("[{}]", peer.host_v6()));
    let [from_beside, from_apart] = [&beside, &apart].map(|name| gateway(name));
    let within = |name: &str| Place::Within(name.to_owned());
    let kinds = [
        ("127.0.0.1", Place::Here, "127.0.0.1"),
        ("localhost", Place::Here, "localhost"),
        ("[::1]", Place::Here, "[::1]"),
        ("own IPv4 address", Place::Here, &v4),
        ("own IPv6 address", Place::Here, &v6),
        ("another host over IPv4", Place::Peer(peer), &v4),
        ("another host over IPv6", Place::Peer(peer), &v6),
        (
            "container on the same network",
            within(&beside),
            &from_beside,
        ),
        ("container on another network", within(&apart), &from_apart),
        (
            "container on another network, by another address",
            within(&apart),
            &v4,
        ),
    ];
    let owned = |(kind, place, host): (_, _, &str)| (kind, place, host.to_owned());
    kinds.into_iter().map(owned).collect()
}

/// What clients of these kinds see, all at once, from before the `deed` until after it.
pub(crate) fn seen_by(
    kinds: &[Kind<'_>],
    app: &App,
    deed: impl FnOnce(),
) -> Vec<(&'static str, Outcome)> {
    seen_at(app.port, Client::start, kinds, deed)
}

/// The same at another port, of clients that are started like this.
pub(super) fn seen_at(
    port: u16,
    client: fn(&Place<'_>, &str) -> Client,
    kinds: &[Kind<'_>],
    deed: impl FnOnce(),
) -> Vec<(&'static str, Outcome)> {
    let start = |(_, place, host): &Kind<'_>| client(place, &format!("{host}:{port}"));
    let clients: Vec<Client> = kinds.iter().map(start).collect();
    std::thread::sleep(Duration::from_millis(500));
    deed();
    std::thread::sleep(Duration::from_millis(500));
    let outcomes = clients.into_iter().map(Client::finish);
    kinds.iter().map(|it| it.0).zip(outcomes).collect()
}

/// Prints the table of what they saw.
pub(crate) fn show(seen: &[(&str, Outcome)]) {
    say(&format!(
        "{:<50} {:>6} {:>6} {:>10}",
        "client", "sent", "failed", "slowest ms"
    ));
    for (kind, outcome) in seen {
        say(&format!(
            "{kind:<50} {:>6} {:>6} {:>10.1}",
            outcome.sent(),
            outcome.failed(),
            outcome.slowest_ms()
        ));
    }
}
