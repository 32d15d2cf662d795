//! The places that a release is to have on networks once it is verified: those of its run options, and all that the live
//! container has. Nothing of them is lost because nobody gave it again.

use step::engine::attachment::Attachment;
use step::engine::container::Container;
use step::model::places::{Place, mode, places};

use super::attach::add_address;
use super::resolves;

/// Their names and fixed addresses, of a release with these run options in the place of `live`. `name` is the live name,
/// which is no alias: it is given by itself.
pub(crate) fn wanted(
    options: &[String],
    live: Option<&Container>,
    name: &str,
    on_podman: bool,
) -> Vec<Place> {
    if mode(options).is_some_and(|mode| !joins(mode)) {
        return Vec::new();
    }
    let mut all: Vec<Place> = Vec::new();
    for mut asked in places(options, on_podman) {
        asked.aliases.retain(|alias| alias != name);
        if resolves(&asked.network) && all.iter().all(|it| it.network != asked.network) {
            all.push(asked);
        }
    }
    let Some(live) = live else {
        return all;
    };
    for (network, there) in &live.network_settings.networks {
        if !resolves(network) {
            continue;
        }
        let place = of_live(live, network, there, name);
        match all.iter_mut().find(|it| there.is_on(network, &it.network)) {
            Some(asked) => add(asked, place),
            None => all.push(place),
        }
    }
    all
}

/// Whether a container of that network mode can be on any other network.
fn joins(mode: &str) -> bool {
    !matches!(mode, "none" | "host" | "pasta" | "slirp4netns") && !mode.contains(':')
}

fn of_live(live: &Container, network: &str, there: &Attachment, name: &str) -> Place {
    let own = [name, live.name()];
    let names = there.further_names(&live.id);
    Place {
        network: network.to_owned(),
        aliases: names
            .filter(|it| !own.contains(it))
            .map(str::to_owned)
            .collect(),
        addresses: there.fixed_addresses().collect(),
        mac: None,
    }
}

/// What is asked for goes before what the live one has.
fn add(asked: &mut Place, live: Place) {
    asked.network = live.network;
    let is_new = |alias: &String| !asked.aliases.contains(alias);
    let more: Vec<String> = live.aliases.into_iter().filter(is_new).collect();
    asked.aliases.extend(more);
    for ip in live.addresses {
        add_address(&mut asked.addresses, ip);
    }
}

/// The same without fixed addresses, which are the live container's as long as it runs.
pub(crate) fn without_addresses(mut places: Vec<Place>) -> Vec<Place> {
    for place in &mut places {
        place.addresses.clear();
        place.mac = None;
    }
    places
}

/// The same without names, for a container that is not verified.
pub(crate) fn without_names(mut places: Vec<Place>) -> Vec<Place> {
    places.iter_mut().for_each(|it| it.aliases.clear());
    places
}

/// The same with one more name everywhere.
pub(crate) fn also_named(mut places: Vec<Place>, name: &str) -> Vec<Place> {
    places
        .iter_mut()
        .for_each(|place| place.aliases.push(name.to_owned()));
    places
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn live(name: &str, networks: Value) -> Container {
        serde_json::from_value(json!({
            "Id": "0123456789abcdef", "Name": name, "Image": "", "State": {}, "Config": {},
            "HostConfig": {}, "NetworkSettings": {"Networks": networks},
        }))
        .unwrap()
    }

    fn said(options: &str, live: Option<&Container>) -> Vec<String> {
        let words: Vec<String> = options.split(' ').map(str::to_owned).collect();
        let all = wanted(&words, live, "web", false).into_iter();
        all.map(|it| {
            let addresses = it.addresses.iter().map(ToString::to_string);
            let parts: Vec<String> = it.aliases.iter().cloned().chain(addresses).collect();
            format!("{}={}", it.network, parts.join(","))
        })
        .collect()
    }

    #[test]
    fn all_that_the_live_one_has_is_wanted_besides_what_is_asked_for() {
        let live = live(
            "/web-old",
            json!({
                "back": {"Aliases": ["0123456789ab", "web"], "IPAMConfig": {"IPv4Address": "10.2.0.9"}},
                "bridge": {"Aliases": null},
                "front": {"Aliases": ["api", "web-old", "0123456789ab"], "NetworkID": "f00dfeedbeef7777"},
            }),
        );
        let carried = ["front=api", "back=10.2.0.9"];
        assert_eq!(said("--network front", Some(&live)), carried);
        assert_eq!(said("--network f00dfeedbeef", Some(&live)), carried);
        assert_eq!(said("--network=name=front,alias=api", Some(&live)), carried);
        assert_eq!(said("-it", Some(&live)), ["back=10.2.0.9", "front=api"]);
        let other = ["other=shop,10.3.0.3", "back=10.2.0.9", "front=api"];
        assert_eq!(
            said(
                "--network other --network-alias shop --ip 10.3.0.3",
                Some(&live)
            ),
            other
        );
    }

    #[test]
    fn an_address_that_is_asked_for_is_the_one() {
        let live = live(
            "/web",
            json!({"front": {"IPAMConfig": {"IPv4Address": "10.2.0.9", "IPv6Address": "fd00::9"}}}),
        );
        assert_eq!(
            said("--network front --ip 10.2.0.5", Some(&live)),
            ["front=10.2.0.5,fd00::9"]
        );
    }

    #[test]
    fn the_beginning_of_an_id_is_no_name_and_a_short_alias_that_looks_like_one_is() {
        let live = live(
            "/web",
            json!({"front": {"Aliases": ["0123456789ab", "01"]}}),
        );
        assert_eq!(said("-it", Some(&live)), ["front=01"]);
    }

    #[test]
    fn what_cannot_be_on_a_network_is_to_be_on_none() {
        let live = live("/web", json!({"front": {"Aliases": ["api"]}}));
        for mode in ["none", "host", "container:db"] {
            assert!(said(&format!("--network {mode}"), Some(&live)).is_empty());
        }
        assert!(said("-it", None).is_empty());
    }
}
