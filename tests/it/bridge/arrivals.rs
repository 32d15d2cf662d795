//! Clients that arrive in another way than most: by an address of the link, by a bridge of the host's own, or by a port that
//! somebody's rule leads to the app's.

use std::fs;
use std::net::TcpStream;
use std::sync::PoisonError;

use stage::clients::Peer;
use stage::docker::Scope;
use stage::load::Outcome;

use super::datagrams::{Resolver, assert_answered, served};
use super::kinds::{Client, Kind, Place, seen_at};
use super::surroundings::Rules;
use super::{RULES, has_proxy, lacks_bridge};
use crate::support::{eventually, free_port, ok, on_a_stage_of_its_own};

/// What clients of these kinds see of a swap, by TCP and by UDP at these ports, and all at once.
fn swapped(
    resolver: &Resolver,
    (tcp, udp): (u16, u16),
    kinds: &[Kind<'_>],
) -> [Vec<(&'static str, Outcome)>; 2] {
    resolver.candidate(&resolver.build("v2"));
    let mut by_tcp = Vec::new();
    let by_udp = seen_at(udp, Client::by_datagrams, kinds, || {
        by_tcp = seen_at(tcp, Client::start, kinds, || {
            let swap = &ok(&resolver.app.promote(&["--bridge", "require"]))["swap"];
            assert_eq!(swap["failed"], 0, "{swap}");
        });
    });
    [by_tcp, by_udp]
}

/// Another host can call this one at this address a moment after its cable has changed.
fn wait_until_called(peer: &Peer, host: &str, port: u16) {
    eventually("the host is called", || {
        let target = format!("{host}:{port}");
        let called = peer.spawn(move || Ok(TcpStream::connect(target)?));
        called.join().unwrap().is_ok()
    });
}

#[test]
fn a_neighbour_that_calls_an_address_of_the_link_loses_nothing_where_the_host_has_no_other() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    on_a_stage_of_its_own(
        &["--engine", "docker"],
        &["--ignored", "bridge::arrivals::link"],
    );
}

#[test]
#[ignore = "run on a stage of its own by the test above"]
fn link() {
    let (resolver, peer) = (Resolver::new("link"), Peer::new().unwrap());
    let ports = (resolver.app.port, resolver.udp);
    resolver.deploy(&resolver.build("v1"));
    let host = format!("[{}]", peer.on_the_link().unwrap());
    let addresses = fs::read_to_string("/proc/net/if_inet6").unwrap();
    assert!(!addresses.contains(" 00 80 "), "{addresses}");
    wait_until_called(&peer, &host, ports.0);
    let neighbour = ("a neighbour", Place::Peer(&peer), host);
    let here = ("[::1]", Place::Here, "[::1]".to_owned());
    for seen in swapped(&resolver, ports, &[neighbour, here]) {
        assert_answered(&seen, &["v1", "v2"]);
    }
}

#[test]
fn who_calls_another_port_that_a_rule_leads_to_the_apps_loses_nothing() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let _rules_of_all = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let resolver = Resolver::new("led");
    let (scope, peer) = (Scope::new("clients"), Peer::new().unwrap());
    resolver.deploy(&resolver.build("v1"));
    let (tcp, udp) = (free_port(), free_port());
    let led = format!(
        "tcp dport {tcp} fib daddr type local redirect to :{}; udp dport {udp} fib daddr type local redirect to :{};",
        resolver.app.port, resolver.udp
    );
    let chains = format!(
        "chain from_elsewhere {{ type nat hook prerouting priority dstnat - 1; {led} }}\n\
         chain from_here {{ type nat hook output priority -101; {led} }}"
    );
    let _rules = Rules::up(resolver.app.name(), &chains);
    let mut kinds = served(&resolver, &peer, &scope);
    // Docker's proxy answers them by UDP from an address that they have not called.
    kinds.retain(|it| !it.0.starts_with("own "));
    for seen in swapped(&resolver, (tcp, udp), &kinds) {
        assert_answered(&seen, &["v1", "v2"]);
    }
}

/// Another host, which this one has behind a bridge of its own, and how it calls this one.
fn behind_a_bridge(peer: &Peer, port: u16) -> (String, [Kind<'_>; 2]) {
    let bridge = peer.behind_a_bridge().unwrap();
    let hosts = [peer.host_v4(), format!("[{}]", peer.host_v6())];
    for host in &hosts {
        wait_until_called(peer, host, port);
    }
    let [v4, v6] = hosts.map(|host| (Place::Peer(peer), host));
    let kinds = [("by IPv4", v4.0, v4.1), ("by IPv6", v6.0, v6.1)];
    (bridge, kinds)
}

fn swap_for_those_behind_a_bridge(name: &str) {
    let (resolver, peer) = (Resolver::new(name), Peer::new().unwrap());
    let ports = (resolver.app.port, resolver.udp);
    resolver.deploy(&resolver.build("v1"));
    let (_, kinds) = behind_a_bridge(&peer, ports.0);
    for seen in swapped(&resolver, ports, &kinds) {
        assert_answered(&seen, &["v1", "v2"]);
    }
}

#[test]
fn who_comes_by_a_bridge_of_the_hosts_own_loses_nothing() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let _rules_of_all = RULES.read().unwrap_or_else(PoisonError::into_inner);
    swap_for_those_behind_a_bridge("behind");
}

#[test]
fn who_comes_by_a_bridge_loses_nothing_where_the_engine_changes_no_rules() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let flags = ["--engine", "docker", "--engine-flag=--iptables=false"];
    on_a_stage_of_its_own(&flags, &["--ignored", "bridge::arrivals::without_iptables"]);
}

#[test]
#[ignore = "run on a stage of its own by the test above"]
fn without_iptables() {
    swap_for_those_behind_a_bridge("behind-no-rules");
}

#[test]
fn a_port_that_is_closed_to_those_who_come_by_a_bridge_stays_closed_to_them() {
    if lacks_bridge() || !has_proxy() {
        return;
    }
    let _rules_of_all = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (resolver, peer) = (Resolver::new("shut"), Peer::new().unwrap());
    let ports = (resolver.app.port, resolver.udp);
    resolver.deploy(&resolver.build("v1"));
    let (bridge, [_, v6]) = behind_a_bridge(&peer, ports.0);
    let closed = format!(
        "chain input {{ type filter hook input priority filter; iifname {bridge} th dport {{ {}, {} }} drop; }}",
        ports.0, ports.1
    );
    let _rules = Rules::up(resolver.app.name(), &closed);
    for seen in swapped(&resolver, ports, &[v6]) {
        for (kind, outcome) in &seen {
            assert!(outcome.sent() > 0, "{kind}");
            assert_eq!(outcome.failed(), outcome.sent(), "{kind}");
        }
    }
}
