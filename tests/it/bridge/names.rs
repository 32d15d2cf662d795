//! Containers that call the app by its name on a network of their own.

use std::fs;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use stage::clients::RemoteLoad;
use stage::docker::docker;
use stage::ground::on_podman;
use stage::image::Image;
use stage::skipped::skip;

use super::{RULES, has_proxy, lacks_bridge, say};
use crate::proxy::front::Behind;
use crate::support::{App, ok};

/// After so long each connection that was kept has been used to its end.
const WHOLE_LIFE: Duration = Duration::from_secs(6);

/// Replaces an app that a container on its network calls by name.
fn swap_under_callers(app: &App, old: &Image, new: &Image) {
    let clients = |network: &str, image: &str, target: &str| {
        RemoteLoad::on_network(network, image, target, 100)
    };
    swap_under(app, old, new, clients, Duration::from_millis(500));
}

/// As [`swap_under_callers`], with clients on this network, from this image, that call this target until `after`.
fn swap_under(
    app: &App,
    old: &Image,
    new: &Image,
    clients: fn(&str, &str, &str) -> anyhow::Result<RemoteLoad>,
    after: Duration,
) {
    let network = format!("{}-net", app.name());
    docker(["network", "create", &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let (old, new) = (app.tagged(old, "v1"), app.tagged(new, "v2"));
    app.deploy(&old, &["--network", &network]);
    let target = format!("{}:8080", app.name());
    let load = clients(&network, &old.name, &target).unwrap();
    thread::sleep(Duration::from_secs(1));
    app.candidate(&new, &["--network", &network]);
    let report = ok(&app.promote(&[]));
    thread::sleep(after);
    let seen = load.finish().unwrap();
    say(&format!(
        "by name: {} sent, {} failed {:?}, slowest {:.0} ms",
        seen.sent(),
        seen.failed(),
        seen.kinds(),
        seen.slowest_ms()
    ));
    assert_eq!(report["swap"]["bridge"], "on", "{report}");
    assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"]);
    app.assert_live(&new);
}

#[test]
fn a_container_that_calls_the_app_by_its_name_keeps_its_answers() {
    if lacks_bridge() {
        return;
    }
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("clients-name");
    swap_under_callers(&app, &app.image("v1"), &app.image("v2"));
}

#[test]
fn a_container_that_calls_a_slow_app_by_its_name_keeps_its_answers() {
    if lacks_bridge() {
        return;
    }
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("clients-name-slow");
    let image = |version| app.image(version).env("SLOW_MS", "300");
    swap_under_callers(&app, &image("v1"), &image("v2"));
}

#[test]
fn a_container_that_calls_an_address_of_ipv6_that_was_asked_for_keeps_its_answers() {
    if lacks_bridge() {
        return;
    }
    if on_podman() {
        return skip("podman lets nothing through that is redirected by IPv6");
    }
    let _rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("clients-six");
    let network = format!("{}-net", app.name());
    let (v4, v6) = ("--subnet=10.214.6.0/24", "--subnet=fd00:10:214:6::/64");
    docker(["network", "create", "--ipv6", v4, v6, &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let options = ["--network", &network, "--ip6", "fd00:10:214:6::77"];
    app.deploy(&v1, &options);
    let target = "[fd00:10:214:6::77]:8080";
    let load = RemoteLoad::on_network(&network, &v1.name, target, 100).unwrap();
    thread::sleep(Duration::from_secs(1));
    app.candidate(&v2, &options);
    let report = ok(&app.promote(&["--bridge", "require"]));
    thread::sleep(Duration::from_millis(500));
    let seen = load.finish().unwrap();
    assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"]);
    app.assert_live(&v2);
}

/// Packets within a bridge do not pass the rules for packets through this host, as on a host
/// whose kernel has no br_netfilter loaded; set back when dropped.
struct Unfiltered(String);

const FILTERED: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

impl Unfiltered {
    fn new() -> Unfiltered {
        let before = fs::read_to_string(FILTERED).unwrap();
        fs::write(FILTERED, "0").unwrap();
        Unfiltered(before)
    }
}

impl Drop for Unfiltered {
    fn drop(&mut self) {
        let _ = fs::write(FILTERED, &self.0);
    }
}

#[test]
fn a_container_that_calls_the_app_by_its_name_keeps_its_answers_where_bridges_are_not_filtered() {
    if lacks_bridge() {
        return;
    }
    let _alone = RULES.write().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("clients-name-plain");
    let image = |version| app.image(version).env("SLOW_MS", "300");
    let _unfiltered = Unfiltered::new();
    swap_under_callers(&app, &image("v1"), &image("v2"));
    // Without its proxy an engine may have them filtered for its own sake, as 28 does.
    let unfiltered = fs::read_to_string(FILTERED).unwrap().trim() == "0";
    assert!(unfiltered || !has_proxy());
}

/// Where bridges are filtered the kernel leads such connections without any rules.
#[test]
fn who_keeps_connections_to_the_name_loses_no_request_where_bridges_are_not_filtered() {
    if lacks_bridge() {
        return;
    }
    let _alone = RULES.write().unwrap_or_else(PoisonError::into_inner);
    let app = App::new("clients-kept");
    let image = |version| app.image(version).env("GRACEFUL", "1");
    let _unfiltered = Unfiltered::new();
    swap_under(&app, &image("v1"), &image("v2"), kept, WHOLE_LIFE);
}

fn kept(network: &str, image: &str, target: &str) -> anyhow::Result<RemoteLoad> {
    RemoteLoad::kept_on_network(network, image, target, 60)
}

#[test]
fn who_keeps_connections_to_an_alias_loses_no_request_where_bridges_are_not_filtered() {
    if lacks_bridge() {
        return;
    }
    let _alone = RULES.write().unwrap_or_else(PoisonError::into_inner);
    let behind = Behind::new("alias-kept");
    let app = &behind.app;
    let build = |version: &str| app.tagged(&app.image(version).env("GRACEFUL", "1"), version);
    let (v1, v2) = (build("v1"), build("v2"));
    behind.deploy(&v1);
    let _unfiltered = Unfiltered::new();
    let load = kept(&behind.network, &v1.name, "web:8080").unwrap();
    thread::sleep(Duration::from_secs(2));
    behind.candidate(&v2);
    // So long the old one is called, and none of it reaches it.
    ok(&app.promote(&behind.flags(&["--settle", "2s"])));
    thread::sleep(WHOLE_LIFE);
    let seen = load.finish().unwrap();
    crate::proxy::front::say("connections kept", &seen);
    assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
    assert_eq!(seen.versions(), ["v1", "v2"]);
}
