//! Worlds of many kinds times clients of all kinds: whoever was served before a swap is served during it and after it, and
//! nobody else is.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use stage::clients::Peer;
use stage::docker::{Scope, docker};
use stage::load::Outcome;

use super::kinds::{kinds, seen_by, show};
use super::surroundings::Rules;
use super::{RULES, has_proxy, lacks_bridge};
use crate::support::{App, ok, on_a_stage_of_its_own};

/// Who is served of the kinds of clients: all of a kind's requests, or none of them.
fn served(seen: &[(&'static str, Outcome)]) -> BTreeMap<&'static str, bool> {
    let each = seen.iter().map(|(kind, outcome)| {
        assert!(outcome.sent() > 0, "{kind}");
        let all = outcome.failed() == 0;
        let none = outcome.failed() == outcome.sent();
        assert!(all || none, "{kind}: {:?}", outcome.kinds());
        (*kind, all)
    });
    each.collect()
}

/// Swaps a release in a world where the port is published at `address` and these rules hold, under all kinds of
/// clients. At least one of them is served, and where the world closes the port to some, at least one is not.
fn crossed(address: &str, is_closed: bool, rules: impl FnOnce(&App, &Peer) -> Option<Rules>) {
    let _rules_of_all = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (app, scope, peer) = (
        App::new("world"),
        Scope::new("clients"),
        Peer::new().unwrap(),
    );
    let image = |version| app.image(version).env("BOOT_MS", "800");
    let (v1, v2) = (
        app.tagged(&image("v1"), "v1"),
        app.tagged(&image("v2"), "v2"),
    );
    let address = address.replace("PEER", &peer.host_v4());
    let publish = format!("{address}{}:8080", app.port);
    docker(["run", "-d", "--name", app.name(), "-p", &publish, &v1.name]).unwrap();
    ok(&app.step(
        "start-candidate",
        &["--image", &v2.name, "--publish", &publish],
    ));
    app.prove_candidate();
    let kinds = kinds(&app, &peer, &scope);
    let _rules = rules(&app, &peer);
    let before = served(&seen_by(&kinds, &app, || {}));
    assert!(before.values().any(|it| *it), "{before:?}");
    assert_eq!(before.values().any(|it| !it), is_closed, "{before:?}");
    let during = seen_by(&kinds, &app, || {
        let swap = &ok(&app.promote(&[]))["swap"];
        assert_eq!(swap["bridge"], "on", "{swap}");
    });
    show(&during);
    assert_eq!(served(&during), before, "during the swap");
    assert_eq!(served(&seen_by(&kinds, &app, || {})), before, "after it");
    let id = &app.container("").unwrap()["Image"];
    assert_eq!(*id, v2.id.as_str());
}

fn closed(app: &App, chain: &str) -> Option<Rules> {
    Some(Rules::up(
        app.name(),
        &chain.replace("PORT", &app.port.to_string()),
    ))
}

/// Runs one of the ignored tests below where the engine has these flags.
fn with_flags(flags: &[&str], test: &str) {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let flags: Vec<String> = flags
        .iter()
        .map(|it| format!("--engine-flag={it}"))
        .collect();
    let mut words = vec!["--engine", "docker"];
    words.extend(flags.iter().map(String::as_str));
    let test = format!("bridge::crossings::{test}");
    on_a_stage_of_its_own(&words, &["--ignored", &test]);
}

#[test]
fn a_port_of_one_address_is_open_there_only() {
    if lacks_bridge() {
        return;
    }
    crossed("127.0.0.1:", true, |_, _| None);
    crossed("PEER:", true, |_, _| None);
}

#[test]
fn a_port_of_one_family_is_open_to_that_only() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    crossed("0.0.0.0:", true, |_, _| None);
    crossed("[::]:", true, |_, _| None);
}

#[test]
fn what_is_forwarded_for_this_port_is_dropped_during_the_swap_too() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    // As people write it in the chain DOCKER-USER, by the port that clients call.
    let chain = "chain forward { type filter hook forward priority filter - 5; \
         tcp dport 8080 ct direction original ct original proto-dst PORT drop; }";
    crossed("", true, |app, _| closed(app, chain));
}

#[test]
fn what_comes_in_for_this_port_is_dropped_during_the_swap_too() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let chain = "chain input { type filter hook input priority filter; iifname != lo tcp dport PORT drop; }";
    crossed("", true, |app, _| closed(app, chain));
}

#[test]
fn containers_that_may_not_call_the_host_do_not_cost_those_of_other_networks_a_request() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    // The candidate is among the former: its own call is not answered.
    let chain = "chain input { type filter hook input priority filter; iifname docker0 tcp dport PORT drop; }";
    crossed("", true, |app, _| closed(app, chain));
}

#[test]
fn what_one_host_may_not_call_it_may_not_call_during_the_swap() {
    if lacks_bridge() {
        return;
    }
    let chain = "chain before { type filter hook prerouting priority raw; ip saddr NET.0/24 tcp dport PORT drop; }";
    crossed("", true, |app, peer| {
        let v4 = peer.host_v4();
        let net = v4.rsplit_once('.').unwrap().0;
        closed(app, &chain.replace("NET", net))
    });
}

#[test]
fn containers_that_may_not_call_each_other_are_served_as_before() {
    with_flags(&["--icc=false"], "apart");
}

#[test]
#[ignore = "run on a stage of its own by the test above"]
fn apart() {
    crossed("", false, |_, _| None);
}

#[test]
fn an_engine_that_publishes_on_loopback_opens_a_port_to_nobody_else_during_the_swap() {
    with_flags(&["--ip=127.0.0.1"], "inner");
}

#[test]
#[ignore = "run on a stage of its own by the test above"]
fn inner() {
    crossed("", true, |_, _| None);
}
