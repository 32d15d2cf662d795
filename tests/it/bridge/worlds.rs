//! Who could reach the port before a swap reaches it during the swap, and nobody else, whatever closes it to others.

use std::sync::PoisonError;

use stage::clients::{Peer, RemoteLoad};
use stage::docker::{docker, inspect};
use stage::ground::on_podman;
use stage::load::{Load, Outcome};
use stage::skipped::skip;

use super::surroundings::Rules;
use super::{RULES, has_proxy, lacks_bridge};
use crate::support::{App, failed, ok, on_a_stage_of_its_own, text};

/// Another host's clients at the two addresses, while the swap goes on.
struct Outside {
    v4: RemoteLoad,
    v6: RemoteLoad,
}

impl Outside {
    fn start(peer: &Peer, app: &App) -> Outside {
        let load = |host: &str| peer.load(&format!("{host}:{}", app.port), 50).unwrap();
        Outside {
            v4: load(&peer.host_v4()),
            v6: load(&format!("[{}]", peer.host_v6())),
        }
    }

    fn finish(self) -> [Outcome; 2] {
        [self.v4.finish().unwrap(), self.v6.finish().unwrap()]
    }
}

fn assert_served(kind: &str, seen: &Outcome) {
    assert!(seen.sent() > 0, "{kind}");
    assert_eq!(seen.failed(), 0, "{kind}: {:?}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"], "{kind}");
}

fn assert_shut_out(kind: &str, seen: &Outcome) {
    assert!(seen.sent() > 0, "{kind}");
    assert_eq!(seen.failed(), seen.sent(), "{kind}: {:?}", seen.versions());
}

/// A live container that a person started, and its next release, on these options; what those here and those outside
/// saw of the swap.
fn swapped(app: &App, options: &[&str], world: impl FnOnce() -> Option<Rules>) -> [Outcome; 3] {
    let _rules_of_all = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let image = |version| app.image(version).env("BOOT_MS", "1500");
    let v1 = app.tagged(&image("v1"), "v1");
    let v2 = app.tagged(&image("v2"), "v2");
    let publish = format!("{}:8080", app.port);
    let head = ["run", "-d", "--name", app.name(), "-p", &publish];
    docker([&head[..], options, &[&v1.name]].concat()).unwrap();
    let flags = ["--image", &v2.name, "--publish", &publish, "--"];
    ok(&app.step("start-candidate", &[&flags[..], options].concat()));
    app.prove_candidate();
    let peer = Peer::new().unwrap();
    let _rules = world();
    let (here, outside) = (Load::start(app.addr(), "/", 50), Outside::start(&peer, app));
    let report = ok(&app.promote(&["--bridge", "require"]));
    let ([v4, v6], here) = (outside.finish(), here.stop());
    assert_eq!(report["swap"]["bridge"], "on", "{report}");
    assert_eq!(report["swap"]["failed"], 0, "{report}");
    app.assert_live(&v2);
    [here, v4, v6]
}

/// A rule that closes the app's port to those of other hosts who match.
fn closed(app: &App, those: &str) -> Rules {
    let chain = format!(
        "chain input {{ type filter hook input priority filter; iifname != lo {those} tcp dport {} drop; }}",
        app.port
    );
    Rules::up(app.name(), &chain)
}

#[test]
fn a_port_that_a_network_publishes_on_loopback_alone_is_opened_to_nobody_else() {
    if lacks_bridge() {
        return;
    }
    if on_podman() {
        return skip("podman's networks have no address of their own to publish at");
    }
    let app = App::new("inner");
    let network = format!("{}-inner", app.name());
    let bound = "com.docker.network.bridge.host_binding_ipv4=127.0.0.1";
    docker(["network", "create", "-o", bound, &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let [here, v4, v6] = swapped(&app, &["--network", &network], || None);
    assert_served("loopback", &here);
    assert_shut_out("another host over IPv4", &v4);
    assert_shut_out("another host over IPv6", &v6);
}

#[test]
fn a_second_network_that_nobody_may_reach_from_outside_costs_no_client_the_bridge() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("internal");
    // By its name the first.
    let [back, front] = ["a-back", "b-front"].map(|end| format!("{}-{end}", app.name()));
    docker(["network", "create", "--internal", &back]).unwrap();
    docker(["network", "create", &front]).unwrap();
    app.scope.at_end(["network", "rm", &back, &front]);
    let [here, v4, v6] = swapped(&app, &["--network", &front], || {
        docker(["network", "connect", &back, app.name()]).unwrap();
        None
    });
    assert_served("loopback", &here);
    assert_served("another host over IPv4", &v4);
    match has_proxy() {
        true => assert_served("another host over IPv6", &v6),
        false => assert_shut_out("another host over IPv6", &v6),
    }
}

#[test]
fn a_port_that_a_rule_closes_to_one_family_stays_closed_to_it() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("family");
    let [here, v4, v6] = swapped(&app, &[], || Some(closed(&app, "meta nfproto ipv6")));
    assert_served("loopback", &here);
    assert_served("another host over IPv4", &v4);
    assert_shut_out("another host over IPv6", &v6);
}

#[test]
fn an_engine_that_changes_no_rules_has_its_clients_pass_those_for_what_comes_in() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let flags = ["--engine", "docker", "--engine-flag=--iptables=false"];
    on_a_stage_of_its_own(&flags, &["--ignored", "bridge::worlds::without_iptables"]);
}

#[test]
#[ignore = "run on a stage of its own by the test above"]
fn without_iptables() {
    let forwards_nothing =
        "chain forward { type filter hook forward priority filter; policy drop; }";
    let app = App::new("no-forward");
    let all = swapped(&app, &[], || Some(Rules::up(app.name(), forwards_nothing)));
    for (kind, seen) in [
        "loopback",
        "another host over IPv4",
        "another host over IPv6",
    ]
    .iter()
    .zip(&all)
    {
        assert_served(kind, seen);
    }
    let app = App::new("no-input");
    let [here, v4, v6] = swapped(&app, &[], || Some(closed(&app, "")));
    assert_served("loopback", &here);
    assert_shut_out("another host over IPv4", &v4);
    assert_shut_out("another host over IPv6", &v6);
}

#[test]
fn where_a_rule_names_the_live_containers_address_there_is_no_bridge_and_the_report_says_why() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("named");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = inspect(app.name()).unwrap().unwrap();
    let networks = live["NetworkSettings"]["Networks"].as_object().unwrap();
    let address = networks
        .values()
        .find_map(|it| it["IPAddress"].as_str())
        .unwrap();
    app.candidate(&v2, &[]);
    let peer = Peer::new().unwrap();
    let only = format!(
        "chain forward {{ type filter hook forward priority filter + 1; ip daddr {address} accept; \
         tcp dport 8080 ct original proto-dst {} drop; }}",
        app.port
    );
    let rules = Rules::up(app.name(), &only);
    let before = app.id("");
    let outside = Outside::start(&peer, &app);
    let refused = failed(&app.promote(&["--bridge", "require"]), 44, "no_bridge");
    assert_eq!(refused["rolled_back_to"], app.name(), "{refused}");
    app.assert_untouched(&before, &v1);
    let report = ok(&app.promote(&[]));
    drop(rules);
    let [v4, _] = outside.finish();
    assert_eq!(report["swap"]["bridge"], "off", "{report}");
    let why = text(&report["swap"]["bridge_off_because"]);
    assert!(why.contains("firewall"), "{report}");
    assert!(v4.sent() > v4.failed(), "{:?}", v4.kinds());
    app.assert_live(&v2);
}

#[test]
fn a_host_that_is_banned_stays_so_and_all_others_have_the_bridge() {
    if lacks_bridge() {
        return;
    }
    let (app, banned) = (App::new("banned"), Peer::new().unwrap());
    let (host, port) = (banned.host_v4(), app.port);
    let net = host.rsplit_once('.').unwrap().0;
    let chain = format!(
        "chain forward {{ type filter hook forward priority filter; ip saddr {net}.0/24 tcp dport 8080 drop; }}"
    );
    let mut ban = None;
    let [here, v4, _] = swapped(&app, &[], || {
        let rules = Rules::up(app.name(), &chain);
        ban = Some((rules, banned.load(&format!("{host}:{port}"), 20).unwrap()));
        None
    });
    let (_rules, load) = ban.unwrap();
    assert_shut_out("a banned host", &load.finish().unwrap());
    assert_served("loopback", &here);
    assert_served("another host over IPv4", &v4);
}

#[test]
fn without_its_proxy_the_engine_serves_the_same_clients_during_a_swap() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let flags = ["--engine", "docker", "--engine-flag=--userland-proxy=false"];
    on_a_stage_of_its_own(&flags, &["--ignored", "bridge::worlds::without_proxy"]);
}

#[test]
#[ignore = "run on a stage of its own by the test above"]
fn without_proxy() {
    let app = App::new("no-proxy");
    let [here, v4, v6] = swapped(&app, &[], || None);
    assert_served("loopback", &here);
    assert_served("another host over IPv4", &v4);
    assert_shut_out("another host over IPv6", &v6);
}

#[test]
fn an_engine_that_translates_ipv6_serves_the_same_clients_during_a_swap() {
    if lacks_bridge() || on_podman() {
        return;
    }
    let flags = [
        "--engine",
        "docker",
        "--engine-flag=--ipv6",
        "--engine-flag=--fixed-cidr-v6=fd66::/64",
        "--engine-flag=--experimental",
        "--engine-flag=--ip6tables=true",
    ];
    on_a_stage_of_its_own(&flags, &["--ignored", "bridge::worlds::with_ip6tables"]);
}

#[test]
#[ignore = "run on a stage of its own by the test above"]
fn with_ip6tables() {
    let app = App::new("ip6tables");
    let [here, v4, v6] = swapped(&app, &[], || None);
    assert_served("loopback", &here);
    assert_served("another host over IPv4", &v4);
    assert_served("another host over IPv6", &v6);
}
