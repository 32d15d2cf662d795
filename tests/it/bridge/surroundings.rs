//! The bridge among other apps, other networks and other people's rules.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use stage::clients::Peer;
use stage::docker::docker;
use stage::load::{Load, Outcome};
use stage::skipped::skip;

use super::{bridged, has_proxy, has_rules, lacks_bridge};
use crate::support::{App, failed, free_port, ok, text};

#[test]
fn two_apps_are_swapped_at_the_same_time() {
    if lacks_bridge() {
        return;
    }
    let apps = [App::new("twin-a"), App::new("twin-b")];
    let images = apps
        .each_ref()
        .map(|app| (app.build("v1"), app.build("v2")));
    for (app, (old, _)) in apps.iter().zip(&images) {
        app.deploy(old, &[]);
    }
    let loads = apps.each_ref().map(|app| Load::start(app.addr(), "/", 100));
    thread::scope(|scope| {
        for (app, (_, new)) in apps.iter().zip(&images) {
            scope.spawn(move || bridged(app, new, &[]));
        }
    });
    for (load, (app, (_, new))) in loads.into_iter().zip(apps.iter().zip(&images)) {
        let seen = load.stop();
        assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
        assert_eq!(seen.versions(), ["v1", "v2"]);
        assert!(!has_rules(app));
        app.assert_live(new);
    }
}

#[test]
fn several_published_ports_are_all_bridged() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("ports");
    let (old, new) = (app.build("v1"), app.build("v2"));
    let second = free_port();
    let publish = [format!("{}:8080", app.port), format!("{second}:8080")];
    let start = |image: &str| {
        let flags = [
            "--image",
            image,
            "--publish",
            &publish[0],
            "--publish",
            &publish[1],
        ];
        ok(&app.step("start-candidate", &flags));
        app.prove_candidate();
    };
    start(&old.name);
    ok(&app.promote(&[]));
    let loads = [app.port, second].map(|port| Load::to(&format!("127.0.0.1:{port}"), "/", 100));
    start(&new.name);
    let report = ok(&app.promote(&["--bridge", "require"]));
    for load in loads {
        let seen = load.stop();
        assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
        assert_eq!(seen.versions(), ["v1", "v2"]);
    }
}

#[test]
fn an_app_on_a_network_of_its_own_is_bridged() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("ownnet");
    let network = format!("{}-net", app.name());
    docker(["network", "create", &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &["--network", &network]);
    let load = Load::start(app.addr(), "/", 200);
    app.candidate(&new, &["--network", &network]);
    let report = ok(&app.promote(&["--bridge", "require"]));
    let seen = load.stop();
    assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"]);
    app.assert_live(&new);
}

/// Somebody's table of rules, gone when dropped.
pub(super) struct Rules(String);

impl Rules {
    pub(super) fn up(name: &str, chains: &str) -> Rules {
        let table = format!("deploy-steps-test-{name}");
        let mut nft = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let rules = format!("table inet {table} {{\n{chains}\n}}\n");
        let mut input = nft.stdin.take().unwrap();
        input.write_all(rules.as_bytes()).unwrap();
        drop(input);
        assert!(nft.wait().unwrap().success());
        Rules(table)
    }

    /// A firewall as a careful administrator writes it: nothing in or through unless it is allowed.
    fn firewall(port: u16) -> Rules {
        let chains = format!(
            "chain input {{ type filter hook input priority filter - 1; policy drop; \
             ct state established,related accept; iif lo accept; ip protocol icmp accept; \
             ip6 nexthdr icmpv6 accept; tcp dport {port} accept; }}\n\
             chain forward {{ type filter hook forward priority filter - 1; policy drop; \
             ct state established,related accept; ct status dnat accept; }}"
        );
        Rules::up("firewall", &chains)
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = Command::new("nft")
            .args(["delete", "table", "inet", &self.0])
            .status();
    }
}

#[test]
fn a_firewall_that_drops_by_default_lets_the_bridge_through() {
    if lacks_bridge() {
        return;
    }
    let _alone = super::RULES
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let app = App::new("firewall");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let peer = Peer::new().unwrap();
    let _firewall = Rules::firewall(app.port);
    let target = |host: &str| format!("{host}:{}", app.port);
    let here = Load::start(app.addr(), "/", 100);
    let v4 = peer.load(&target(&peer.host_v4()), 100).unwrap();
    let v6 = peer
        .load(&target(&format!("[{}]", peer.host_v6())), 100)
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    bridged(&app, &new, &["--bridge", "require"]);
    thread::sleep(Duration::from_millis(500));
    let (here, v4, v6) = (here.stop(), v4.finish().unwrap(), v6.finish().unwrap());
    for (kind, seen) in [("loopback", &here), ("another host over IPv4", &v4)] {
        assert_unnoticed(kind, seen);
    }
    if has_proxy() {
        return assert_unnoticed("another host over IPv6", &v6);
    }
    let (failed, sent) = (v6.failed(), v6.sent());
    assert!(failed == sent && sent > 0, "the engine serves IPv6");
}

fn assert_unnoticed(kind: &str, seen: &Outcome) {
    assert_eq!(seen.failed(), 0, "{kind}: {:?}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"], "{kind}");
}

#[test]
fn where_other_rules_win_the_bridge_is_not_proven_and_nothing_was_stopped_for_it() {
    if lacks_bridge() {
        return;
    }
    if !has_proxy() {
        return skip("an engine without a proxy does not answer through the rules of this test");
    }
    let app = App::new("unproven");
    let (old, new) = (app.build("v1"), app.build("v2"));
    app.deploy(&old, &[]);
    let id = app.id("");
    app.candidate(&new, &[]);
    // The first translation of a connection is its only one.
    let chains = format!(
        "chain output {{ type nat hook output priority -150; \
         ip daddr 127.0.0.1 tcp dport {port} dnat ip to 127.0.0.2:{port}; }}",
        port = app.port
    );
    let _rules = Rules::up(app.name(), &chains);
    let refused = app.promote(&["--bridge", "require"]);
    let report = failed(&refused, 44, "no_bridge");
    let why = text(&report["error"]["message"]);
    assert!(why.contains("did not take the bridge"), "{report}");
    app.assert_untouched(&id, &old);
    assert!(!has_rules(&app));
    let report = ok(&app.promote(&[]));
    assert_eq!(text(&report["swap"]["bridge"]), "off", "{report}");
    assert!(!has_rules(&app));
    app.assert_live(&new);
}
