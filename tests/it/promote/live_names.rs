//! Names and networks of the live container: the verified candidate has them, and the final container, and nobody else.

mod addresses;
mod left_behind;
mod undone;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use stage::clients::RemoteLoad;
use stage::docker::docker;
use stage::ground::on_podman;
use stage::image::Built;

use crate::bridge::{lacks_bridge, say};
use crate::support::{App, ok, text};

/// An app that containers on two networks call.
pub(super) struct Called {
    pub(super) app: App,
    pub(super) front: String,
    pub(super) back: String,
}

impl Called {
    /// `subnet` is the first three numbers of the front network's.
    pub(super) fn new(prefix: &str, subnet: Option<&str>) -> Called {
        let app = App::new(prefix);
        let [front, back] = ["front", "back"].map(|end| format!("{}-{end}", app.name()));
        let subnet = subnet.map(|subnet| format!("--subnet={subnet}.0/24"));
        let create = ["network", "create"].map(str::to_owned).into_iter();
        docker(create.clone().chain(subnet).chain([front.clone()])).unwrap();
        docker(create.chain([back.clone()])).unwrap();
        app.scope.at_end(["network", "rm", &front]);
        app.scope.at_end(["network", "rm", &back]);
        Called { app, front, back }
    }

    /// Starts the live container by hand, as compose would: on the front network, as `api`.
    pub(super) fn by_hand(&self, image: &Built, options: &[&str]) {
        let ports = format!("{}:8080", self.app.port);
        let head = ["run", "-d", "--name", self.app.name(), "-p", &ports];
        let network = ["--network", &self.front, "--network-alias", "api"];
        let words = [&head[..], &network, options, &[&image.name]].concat();
        docker(words).unwrap();
    }

    /// Puts the live container on the back network, too.
    pub(super) fn connect(&self) {
        let alias = ["network", "connect", "--alias", "shop", &self.back];
        docker(alias.into_iter().chain([self.app.name()])).unwrap();
    }

    /// Further names of such a container by its networks.
    pub(super) fn names(&self, end: &str) -> BTreeMap<String, Vec<String>> {
        let container = self.app.container(end).unwrap();
        let id = text(&container["Id"]);
        let networks = container["NetworkSettings"]["Networks"].as_object();
        let names = |place: &Value| {
            let all = place["Aliases"].as_array().cloned().unwrap_or_default();
            let all = all.iter().map(|it| text(it).to_owned());
            // Podman gives a container its own name as one of these.
            let is_own = |it: &String| on_podman() && it == self.app.name();
            let all = all.filter(|it| !id.starts_with(it.as_str()) && !is_own(it));
            let mut all: Vec<String> = all.collect();
            all.sort();
            all
        };
        let places = networks.into_iter().flatten();
        places
            .map(|(network, place)| (network.clone(), names(place)))
            .collect()
    }

    /// The live container has all names on both networks.
    pub(super) fn assert_called(&self) {
        let names = self.names("");
        let has = |network: &str, name: &str| {
            names
                .get(network)
                .is_some_and(|it| it.contains(&name.to_owned()))
        };
        assert!(
            has(&self.front, "api") && has(&self.back, "shop"),
            "{names:?}"
        );
    }

    /// The candidate is where it was made, and nobody calls it by another name than its own.
    pub(super) fn assert_uncalled(&self) {
        let names = self.names("-new");
        let own = self.app.scope.candidate();
        let others = names.values().flatten().filter(|name| **name != own);
        assert_eq!(others.count(), 0, "{names:?}");
        assert!(
            names.contains_key(&self.front) && names.len() == 1,
            "{names:?}"
        );
    }

    pub(super) fn candidate(&self, image: &Built, options: &[&str]) {
        let options = [&["--network", &self.front], options].concat();
        self.app.candidate(image, &options);
        self.assert_uncalled();
    }

    /// Replaces what is live under callers of this name; no request of theirs may fail.
    fn replaced_under_callers(&self, new: &Built, options: &[&str], (network, name): (&str, &str)) {
        let target = format!("{name}:8080");
        let load = RemoteLoad::on_network(network, &new.name, &target, 100).unwrap();
        thread::sleep(Duration::from_secs(1));
        self.candidate(new, options);
        let report = ok(&self.app.promote(&[]));
        thread::sleep(Duration::from_millis(500));
        let seen = load.finish().unwrap();
        say(&format!(
            "by {name}: {} sent, {} failed",
            seen.sent(),
            seen.failed()
        ));
        assert_eq!(report["swap"]["bridge"], "on", "{report}");
        assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
        assert_eq!(seen.versions().len(), 2, "{:?}", seen.versions());
        self.app.assert_live(new);
    }
}

#[test]
fn an_alias_that_nobody_gives_again_keeps_its_callers() {
    if lacks_bridge() {
        return;
    }
    let called = Called::new("alias-kept", None);
    let [v1, v2, v3] = ["v1", "v2", "v3"].map(|version| called.app.build(version));
    called.by_hand(&v1, &[]);
    let api = called.front.clone();
    // Once upon the container by hand, once upon our own.
    called.replaced_under_callers(&v2, &[], (&api, "api"));
    called.replaced_under_callers(&v3, &[], (&api, "api"));
    assert_eq!(called.names("")[&api], ["api"]);
}

#[test]
fn an_alias_that_is_given_again_does_not_call_what_still_boots() {
    if lacks_bridge() {
        return;
    }
    let called = Called::new("alias-given", None);
    let app = &called.app;
    let slow = app.tagged(&app.image("v2").env("BOOT_MS", "1500"), "v2");
    called.by_hand(&app.build("v1"), &[]);
    let again = ["--network-alias", "api", "--network-alias", "more"];
    called.replaced_under_callers(&slow, &again, (&called.front, "api"));
    assert_eq!(called.names("")[&called.front], ["api", "more"]);
}

#[test]
fn a_network_that_was_connected_later_keeps_its_callers_by_either_name() {
    if lacks_bridge() {
        return;
    }
    let called = Called::new("second-network", None);
    let app = &called.app;
    let [v1, v2, v3] = ["v1", "v2", "v3"].map(|version| app.build(version));
    called.by_hand(&v1, &[]);
    called.connect();
    called.replaced_under_callers(&v2, &[], (&called.back, app.name()));
    called.replaced_under_callers(&v3, &[], (&called.back, "shop"));
    called.assert_called();
}

#[test]
fn networks_are_kept_where_none_is_given_and_where_another_one_is() {
    let called = Called::new("no-network", None);
    let (app, default) = (&called.app, stage::docker::default_network());
    called.by_hand(&app.build("v1"), &[]);
    called.connect();
    app.deploy(&app.build("v2"), &[]);
    called.assert_called();
    assert!(called.names("").contains_key(default));
    // That one is nobody's who gives a network.
    app.deploy(&app.build("v3"), &["--network", &called.back]);
    called.assert_called();
    assert_eq!(called.names("").len(), 2);
}

#[test]
fn what_a_person_takes_off_a_network_stays_off() {
    let called = Called::new("taken-off", None);
    let app = &called.app;
    called.by_hand(&app.build("v1"), &[]);
    called.connect();
    docker(["network", "disconnect", &called.back, app.name()]).unwrap();
    app.deploy(&app.build("v2"), &["--network", &called.front]);
    assert_eq!(called.names("").len(), 1);
}

#[test]
fn behind_a_proxy_other_names_and_networks_are_kept_as_well() {
    let called = Called::new("proxied", None);
    let (app, front) = (&called.app, &called.front);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let alias = ["--network-alias", "web", "--network-alias", "api"];
    let head = ["run", "-d", "--name", app.name(), "--network", front];
    docker([&head[..], &alias, &[&v1.name]].concat()).unwrap();
    called.connect();
    let options = ["--", "--network", front, "--network-alias", "new"];
    ok(&app.step(
        "start-candidate",
        &[&["--image", &v2.name], &options[..]].concat(),
    ));
    app.prove_candidate();
    called.assert_uncalled();
    ok(&app.promote(&["--network", front, "--alias", "web", "--linger", "0s"]));
    called.assert_called();
    assert_eq!(called.names("")[front], ["api", "new", "web"]);
}
