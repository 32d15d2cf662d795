//! What run options say of a container's places on networks: on which it is, its names there, its fixed addresses.
//!
//! The candidate has neither names nor fixed addresses. Who calls the app by them must not reach it before it is
//! verified, and an address is the live container's until that one has stopped.

use std::net::IpAddr;

use super::run_options::{Edit, Flag, edited, flags};

/// The keys of a network's own list, `name=front,alias=api`, that are names.
const NAMES: [&str; 1] = ["alias"];
/// Those that are addresses, in docker's words and in podman's.
const ADDRESSES: [&str; 5] = ["ip", "ip6", "link-local-ip", "mac-address", "mac"];
/// What stands before a colon that begins no list of podman's.
const MODES: [&str; 4] = ["container", "ns", "slirp4netns", "pasta"];

/// A place on one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The network, by its name or its id.
    pub network: String,
    /// Further names there.
    pub aliases: Vec<String>,
    /// Fixed addresses there, at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// Its hardware address there, where one is asked for.
    pub mac: Option<String>,
}

/// A `--network` taken apart.
struct Network<'a> {
    name: &'a str,
    /// What stands before the list: nothing with docker, `front:` with podman.
    head: &'a str,
    /// The list, with docker the name among it.
    fields: Vec<&'a str>,
}

/// The places that the options ask for, in their order. Names without a network of their own are the first network's;
/// with podman, where `everywhere` is true, those of all.
pub fn places(options: &[String], everywhere: bool) -> Vec<Place> {
    let (mut places, mut common) = (Vec::new(), Place::default());
    for flag in flags(options) {
        match flag.name {
            "network" | "net" => places.extend(parsed(flag.value).places()),
            "network-alias" | "net-alias" => common.aliases.push(flag.value.to_owned()),
            "mac-address" => common.mac = Some(flag.value.to_owned()),
            "ip" | "ip6" => common.addresses.extend(flag.value.parse::<IpAddr>().ok()),
            _ => {}
        }
    }
    let reached = if everywhere { places.len() } else { 1 };
    for place in places.iter_mut().take(reached) {
        place.aliases.extend(common.aliases.iter().cloned());
    }
    if let Some(first) = places.first_mut() {
        first.addresses.extend(common.addresses);
        first.mac = first.mac.take().or(common.mac);
    }
    places
}

/// The network of the first place, or what is in its stead (`none`, `container:db`).
pub fn mode(options: &[String]) -> Option<&str> {
    let all = flags(options).into_iter().filter(is_network);
    all.map(|flag| parsed(flag.value).name).next()
}

/// What asks for a name or a fixed address, as it is written; for sentences.
pub fn named(options: &[String]) -> Option<String> {
    let common =
        |flag: &Flag<'_>| is_alias(flag) || matches!(flag.name, "ip" | "ip6" | "link-local-ip");
    flags(options)
        .into_iter()
        .find(common)
        .map(|flag| flag.shown())
}

/// The fixed addresses that are none, by their flags.
pub fn unreadable(options: &[String]) -> Option<String> {
    let all = flags(options).into_iter();
    let mut wrong = all
        .filter(|flag| matches!(flag.name, "ip" | "ip6") && flag.value.parse::<IpAddr>().is_err());
    wrong.next().map(|flag| flag.shown())
}

/// The options without further names.
pub fn without_aliases(options: &[String]) -> Vec<String> {
    without(options, is_alias, &NAMES)
}

/// The options without further names and without fixed addresses.
pub fn without_names(options: &[String]) -> Vec<String> {
    let own = |flag: &Flag<'_>| {
        let is_address = matches!(flag.name, "ip" | "ip6" | "link-local-ip" | "mac-address");
        is_address || is_alias(flag)
    };
    without(options, own, &[&NAMES[..], &ADDRESSES].concat())
}

fn without(options: &[String], flag: fn(&Flag<'_>) -> bool, keys: &[&str]) -> Vec<String> {
    edited(options, |it| match it {
        it if flag(&it) => Edit::Drop,
        it if is_network(&it) => parsed(it.value)
            .without(keys)
            .map_or(Edit::Keep, Edit::Value),
        _ => Edit::Keep,
    })
}

fn is_network(flag: &Flag<'_>) -> bool {
    matches!(flag.name, "network" | "net")
}

fn is_alias(flag: &Flag<'_>) -> bool {
    matches!(flag.name, "network-alias" | "net-alias")
}

fn parsed(value: &str) -> Network<'_> {
    let (before, list) = value.split_once(':').unwrap_or((value, ""));
    let is_podmans = list.contains('=') && !before.contains('=') && !MODES.contains(&before);
    if is_podmans {
        return Network {
            name: before,
            head: &value[..=before.len()],
            fields: list.split(',').collect(),
        };
    }
    let fields: Vec<&str> = value.split(',').collect();
    let name = fields
        .iter()
        .find_map(|field| pair(field).filter(|(key, _)| *key == "name"));
    match name {
        Some((_, name)) => Network {
            name,
            head: "",
            fields,
        },
        None => Network {
            name: value,
            head: value,
            fields: Vec::new(),
        },
    }
}

/// A field's key and value; quotes are only needed around values that have commas.
fn pair(field: &str) -> Option<(&str, &str)> {
    let (key, value) = field.trim_matches('"').split_once('=')?;
    Some((key.trim(), value.trim()))
}

impl Network<'_> {
    /// Podman takes several in one word, `front,back`.
    fn places(&self) -> Vec<Place> {
        let names = self.name.split(',');
        let place = |network: &str| Place {
            network: network.to_owned(),
            ..self.place()
        };
        names.map(place).collect()
    }

    fn place(&self) -> Place {
        let of = |keys: &'static [&str]| {
            let pairs = self.fields.iter().filter_map(|field| pair(field));
            pairs
                .filter(|(key, _)| keys.contains(key))
                .map(|(_, value)| value)
        };
        Place {
            mac: of(&["mac-address", "mac"]).next().map(str::to_owned),
            network: self.name.to_owned(),
            aliases: of(&NAMES).map(str::to_owned).collect(),
            addresses: of(&["ip", "ip6"])
                .filter_map(|ip| ip.parse().ok())
                .collect(),
        }
    }

    /// Its value without fields of these keys, where it has any.
    fn without(&self, keys: &[&str]) -> Option<String> {
        let goes = |field: &&str| pair(field).is_some_and(|(key, _)| keys.contains(&key));
        let kept: Vec<&str> = self
            .fields
            .iter()
            .copied()
            .filter(|field| !goes(field))
            .collect();
        if kept.len() == self.fields.len() {
            return None;
        }
        let head = if kept.is_empty() {
            self.name
        } else {
            self.head
        };
        Some(head.to_owned() + &kept.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    fn place(network: &str, aliases: &[&str], addresses: &[&str]) -> Place {
        Place {
            network: network.to_owned(),
            aliases: aliases.iter().map(|&it| it.to_owned()).collect(),
            mac: None,
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_name_is_found_in_every_form_it_can_be_given_in() {
        let api = [place("front", &["api"], &[])];
        for options in [
            "--network front --network-alias api",
            "--net=front --net-alias=api",
            "-it --network-alias api --init --network front",
            "--network name=front,alias=api",
            "--network=name=front,driver-opt=a=b,alias=api",
            "--network front:alias=api",
        ] {
            assert_eq!(places(&words(options), false), api, "{options}");
        }
    }

    #[test]
    fn each_network_has_its_own_names_and_addresses() {
        let given = words(
            "--network name=front,alias=a,ip=10.1.0.2 --network back --network-alias b --ip6 fd00::2",
        );
        let first = place("front", &["a", "b"], &["10.1.0.2", "fd00::2"]);
        assert_eq!(
            places(&given, false),
            [first.clone(), place("back", &[], &[])]
        );
        assert_eq!(places(&given, true), [first, place("back", &["b"], &[])]);
        let two = places(&words("--network front,back"), false);
        assert_eq!(two, [place("front", &[], &[]), place("back", &[], &[])]);
        assert_eq!(mode(&given), Some("front"));
        for given in [
            "--mac-address 92:d0:c6:0a:29:33 --net a",
            "--net name=a,mac-address=92:d0:c6:0a:29:33",
        ] {
            let found = places(&words(given), false);
            assert_eq!(found[0].mac.as_deref(), Some("92:d0:c6:0a:29:33"));
        }
        assert_eq!(mode(&words("--network container:db")), Some("container:db"));
        assert_eq!(mode(&words("--memory 9m")), None);
    }

    #[test]
    fn what_is_without_names_is_otherwise_as_it_was_given() {
        for (given, aliasless, nameless) in [
            (
                "--network front --network-alias api -it",
                "--network front -it",
                "--network front -it",
            ),
            (
                "--network=name=front,alias=api,ip=10.1.0.2,driver-opt=a=b",
                "--network=name=front,ip=10.1.0.2,driver-opt=a=b",
                "--network=name=front,driver-opt=a=b",
            ),
            (
                "--network front:alias=api,mac=92:d0:c6:0a:29:33",
                "--network front:mac=92:d0:c6:0a:29:33",
                "--network front",
            ),
            (
                "--ip 10.1.0.2 --mac-address 92:d0:c6:0a:29:33 --net a",
                "--ip 10.1.0.2 --mac-address 92:d0:c6:0a:29:33 --net a",
                "--net a",
            ),
            (
                "--network slirp4netns:port_handler=x",
                "--network slirp4netns:port_handler=x",
                "--network slirp4netns:port_handler=x",
            ),
            (
                "-e ip=alias=1 --label alias=api",
                "-e ip=alias=1 --label alias=api",
                "-e ip=alias=1 --label alias=api",
            ),
        ] {
            assert_eq!(without_aliases(&words(given)), words(aliasless));
            assert_eq!(without_names(&words(given)), words(nameless));
        }
    }

    #[test]
    fn an_address_that_is_none_is_told_by_its_flag() {
        assert_eq!(
            unreadable(&words("--ip 10.1.0.2 --ip6 x")).as_deref(),
            Some("--ip6")
        );
        assert_eq!(unreadable(&words("--ip 10.1.0.2")), None);
        assert_eq!(
            named(&words("--net-alias=a")).as_deref(),
            Some("--net-alias")
        );
    }
}
