//! Clients that ask by UDP while an app is replaced, of every kind and all at once.

use std::net::UdpSocket;
use std::sync::PoisonError;
use std::time::Duration;

use stage::clients::Peer;
use stage::docker::{Scope, docker};
use stage::image::{Built, Image};
use stage::load::Outcome;
use stage::steps::run;

use super::kinds::{Client, Kind, is_served, kinds, seen_at, show};
use super::losses::{address, leave_rules_without_a_candidate, remove_rules};
use super::{RULES, lacks_bridge};
use crate::heir::{mortal, wait_for_heirs};
use crate::resume::KILLED;
use crate::support::{App, Fault, eventually, failed, free_port, ok};

/// An app that answers by UDP, too.
pub(super) struct Resolver {
    pub(super) app: App,
    pub(super) udp: u16,
}

impl Resolver {
    pub(super) fn new(name: &str) -> Resolver {
        Resolver {
            app: App::new(name),
            udp: free_port(),
        }
    }

    /// Each answer takes a moment, so that some are always on their way.
    fn image(&self, version: &str) -> Image {
        let image = self.app.image(version).env("UDP_PORT", "5353");
        image.env("SLOW_MS", "3")
    }

    pub(super) fn build(&self, version: &str) -> Built {
        self.app.tagged(&self.image(version), version)
    }

    pub(super) fn candidate(&self, image: &Built) {
        self.candidate_with(image, &[]);
    }

    fn candidate_with(&self, image: &Built, options: &[&str]) {
        let tcp = format!("{}:8080", self.app.port);
        let udp = format!("{}:5353/udp", self.udp);
        let ports = ["--publish", &tcp, "--publish", &udp];
        let flags = [&["--image", &image.name], &ports[..], &["--"], options].concat();
        ok(&self.app.step("start-candidate", &flags));
        self.app.prove_candidate();
    }

    pub(super) fn deploy(&self, image: &Built) {
        self.candidate(image);
        ok(&self.app.promote(&[]));
    }

    /// What clients of these kinds see from before the `deed` until after it.
    fn asked_during(
        &self,
        kinds: &[Kind<'_>],
        deed: impl FnOnce(),
    ) -> Vec<(&'static str, Outcome)> {
        seen_at(self.udp, Client::by_datagrams, kinds, deed)
    }
}

/// Who answers a question by UDP at this address within a second.
fn answer(at: &str) -> Option<String> {
    let client = UdpSocket::bind("0.0.0.0:0").unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    client.connect(at).unwrap();
    client.send(b"?").ok()?;
    let mut answer = [0; 100];
    let length = client.recv(&mut answer).ok()?;
    let answer = String::from_utf8(answer[..length].to_vec()).unwrap();
    answer.strip_suffix(" ?").map(str::to_owned)
}

/// The kinds of clients that the engine answers by UDP. No container calls two addresses: Docker's proxy answers a port of
/// a client from the address that this port has called first.
pub(super) fn served<'a>(resolver: &Resolver, peer: &'a Peer, scope: &Scope) -> Vec<Kind<'a>> {
    let mut kinds = kinds(&resolver.app, peer, scope);
    let is_other = |kind: &str| kind == "localhost" || kind.ends_with("by another address");
    kinds.retain(|it| is_served(it.0) && !is_other(it.0));
    kinds
}

pub(super) fn assert_answered(seen: &[(&str, Outcome)], versions: &[&str]) {
    show(seen);
    for (kind, outcome) in seen {
        assert_eq!(outcome.failed(), 0, "{kind}: {:?}", outcome.kinds());
        assert_eq!(outcome.versions(), versions, "{kind}");
    }
}

#[test]
fn no_datagram_is_lost_while_an_app_is_replaced() {
    if lacks_bridge() {
        return;
    }
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let resolver = Resolver::new("datagrams");
    let app = &resolver.app;
    resolver.deploy(&resolver.build("v1"));
    resolver.candidate(&resolver.build("v2"));
    let (scope, peer) = (Scope::new("clients"), Peer::new().unwrap());
    let kinds = served(&resolver, &peer, &scope);
    let seen = resolver.asked_during(&kinds, || {
        ok(&app.promote(&["--bridge", "require"]));
    });
    assert_answered(&seen, &["v1", "v2"]);
    assert!(docker(["port", app.name()]).unwrap().contains("5353/udp"));
}

/// Replaces an app that publishes its UDP port and these others, under all kinds of clients.
fn replaced_beside(name: &str, others: &[&str]) {
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let resolver = Resolver::new(name);
    let app = &resolver.app;
    let udp = format!("{}:5353/udp", resolver.udp);
    let candidate = |version| {
        let image = resolver.build(version).name;
        let head = ["--image", &image, "--publish", &udp];
        ok(&app.step("start-candidate", &[&head[..], others].concat()));
        app.prove_candidate();
    };
    candidate("v1");
    ok(&app.promote(&[]));
    candidate("v2");
    let (scope, peer) = (Scope::new("clients"), Peer::new().unwrap());
    let kinds = served(&resolver, &peer, &scope);
    let seen = resolver.asked_during(&kinds, || {
        ok(&app.promote(&["--bridge", "require"]));
    });
    assert_answered(&seen, &["v1", "v2"]);
}

#[test]
fn no_datagram_is_lost_of_an_app_that_publishes_nothing_else() {
    if lacks_bridge() {
        return;
    }
    replaced_beside("datagrams-only", &[]);
}

#[test]
fn no_datagram_is_lost_of_an_app_whose_health_is_asked_at_a_port_on_loopback() {
    if lacks_bridge() {
        return;
    }
    let inner = format!("127.0.0.1:{}:8080", free_port());
    replaced_beside("datagrams-inner", &["--publish", &inner]);
}

#[test]
fn no_datagram_is_lost_when_the_old_release_comes_back() {
    if lacks_bridge() {
        return;
    }
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let resolver = Resolver::new("datagrams-back");
    let app = &resolver.app;
    let folder = tempfile::tempdir().unwrap();
    resolver.deploy(&resolver.build("v1"));
    resolver.candidate(&resolver.build("v2"));
    let (scope, peer) = (Scope::new("clients"), Peer::new().unwrap());
    let kinds = served(&resolver, &peer, &scope);
    // The final container ends as soon as it has started.
    let kill = format!(
        "docker kill {}-next >{}/out",
        app.name(),
        folder.path().display()
    );
    let seen = resolver.asked_during(&kinds, || {
        failed(
            &app.promote_with(Fault::After("start", &kill), &[]),
            41,
            "rolled_back_unhealthy",
        );
    });
    show(&seen);
    for (kind, outcome) in &seen {
        assert_eq!(outcome.failed(), 0, "{kind}: {:?}", outcome.kinds());
        let last = outcome.samples.last().map(|it| &it.answer);
        assert!(format!("{last:?}").contains("v1"), "{kind}: {last:?}");
    }
}

#[test]
fn no_datagram_is_lost_when_a_promotion_is_killed_and_its_heir_finishes_it() {
    if lacks_bridge() {
        return;
    }
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let resolver = Resolver::new("datagrams-heir");
    let app = &resolver.app;
    resolver.deploy(&resolver.build("v1"));
    let (scope, peer) = (Scope::new("clients"), Peer::new().unwrap());
    let kinds = served(&resolver, &peer, &scope);
    for (version, fault) in [
        ("v2", Fault::Before("stop", "kill -KILL $CALLER")),
        ("v3", Fault::After("stop", "kill -KILL $CALLER")),
        ("v4", Fault::After("start", "kill -KILL $CALLER")),
    ] {
        let image = resolver.build(version);
        resolver.candidate(&image);
        let seen = resolver.asked_during(&kinds, || {
            assert_eq!(run(mortal(app, fault, &[]), None).unwrap().code, KILLED);
            wait_for_heirs(app);
        });
        show(&seen);
        for (kind, outcome) in &seen {
            assert_eq!(
                outcome.failed(),
                0,
                "{kind}: {:?} to {version}",
                outcome.kinds()
            );
            assert_eq!(outcome.versions().last(), Some(&version), "{kind}");
        }
        app.assert_live(&image);
    }
}

#[test]
fn a_container_that_has_got_the_candidates_address_is_left_alone_and_gets_no_datagram_of_the_app() {
    if lacks_bridge() {
        return;
    }
    let resolver = Resolver::new("datagrams-reused");
    let app = &resolver.app;
    let network = format!("{}-net", app.name());
    let subnet = format!("10.215.{}.0/24", std::process::id() % 250);
    docker(["network", "create", "--subnet", &subnet, &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let on_network = ["--network", &network];
    resolver.candidate_with(&resolver.build("v1"), &on_network);
    ok(&app.promote(&[]));
    resolver.candidate_with(&resolver.build("v2"), &on_network);
    let address = address(&app.scope.candidate());
    leave_rules_without_a_candidate(app);
    let stranger = format!("{}-stranger", app.name());
    app.scope.also_container(&stranger);
    let (image, port) = (resolver.build("stranger").name, free_port());
    let publish = format!("{port}:5353/udp");
    let head = ["run", "-d", "--name", &stranger, "--publish", &publish];
    let at = ["--network", &network, "--ip", &address, &image];
    docker([&head[..], &at].concat()).unwrap();
    assert_eq!(self::address(&stranger), address);
    let peer = Peer::new().unwrap();
    let (here, other) = (
        format!("127.0.0.1:{port}"),
        format!("{}:{port}", peer.host_v4()),
    );
    for own in [&here, &other] {
        eventually("the stranger answers its own clients", || {
            answer(own).as_deref() == Some("stranger")
        });
    }
    let from_peer = peer.spawn(move || Ok(answer(&other)));
    assert_eq!(
        from_peer.join().unwrap().unwrap().as_deref(),
        Some("stranger")
    );
    let of_app = format!("{}:{}", peer.host_v4(), resolver.udp);
    let from_peer = peer.spawn(move || Ok(answer(&of_app)));
    assert_ne!(
        from_peer.join().unwrap().unwrap().as_deref(),
        Some("stranger")
    );
    app.scope.at_end(["rm", "-f", &stranger]);
    remove_rules(app);
}
