//! The names of containers on Docker networks: given, taken away, put back.
//!
//! Containers on a network of the user's own call an app by its name. While the live container is replaced the
//! candidate must answer to that name too, or they would find nobody.
//!
//! No engine gives a name to a container that is on the network already. The container is taken off for a moment and
//! put back with one more alias. That breaks its connections there and may change its address, so it is verified once
//! more. Aliases and fixed addresses that it had must be given again. A promotion that was killed in that moment leaves
//! it on no network: [`put_back`] finds that.

use std::net::IpAddr;

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::error::EngineError;
use step::engine::network::Attachment;
use step::recipe::Recipe;

/// Gives the candidate the live container's name, where it shares a network with it on which the
/// engine resolves names. Returns whether anything was done; then the candidate's addresses have changed.
///
/// The engine can only do it by taking the candidate off the network for a moment, which breaks
/// the candidate's own connections there: it must be verified once more.
pub(crate) fn share_name(
    engine: &Engine,
    candidate: &Container,
    live: &Container,
) -> Result<bool, EngineError> {
    let shared = |network: &str| live.network_settings.networks.contains_key(network);
    join_as(engine, candidate, live.name(), shared)
}

/// Gives the container that name on all its networks, as [`share_name`] does: an engine whose name
/// servers hear of names only when a container joins a network (podman) does not do it by a rename.
pub(crate) fn give_name(
    engine: &Engine,
    container: &Container,
    name: &str,
) -> Result<bool, EngineError> {
    join_as(engine, container, name, |_| true)
}

/// Takes the container off those of its networks that are wanted and puts it back under one more name.
fn join_as(
    engine: &Engine,
    container: &Container,
    name: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<bool, EngineError> {
    let mut done = false;
    for (network, place) in &container.network_settings.networks {
        if !is_wanted(network) || !resolves(network) || is_known(place, name) {
            continue;
        }
        engine.disconnect(network, &container.id)?;
        let options = options(container, place, Some(name));
        engine.connect(network, &container.id, &options)?;
        done = true;
    }
    Ok(done)
}

/// Whether containers on that network are found by their names.
pub(crate) fn resolves(network: &str) -> bool {
    !matches!(network, "bridge" | "podman" | "host" | "none")
}

/// Takes the name away again from the candidate, which was `before` like this: on all its networks.
pub(crate) fn take_back(
    engine: &Engine,
    before: &Container,
    name: &str,
) -> Result<(), EngineError> {
    let Some(now) = engine.container(&before.id)? else {
        return Ok(());
    };
    for (network, place) in &before.network_settings.networks {
        let there = now.network_settings.networks.get(network);
        let named = there.is_some_and(|now| is_known(now, name)) && !is_known(place, name);
        if named {
            engine.disconnect(network, &before.id)?;
        }
        if named || there.is_none() {
            engine.connect(network, &before.id, &options(before, place, None))?;
        }
    }
    Ok(())
}

/// Gives a container one more name on a network it is on. Returns whether anything was done, as
/// with [`share_name`].
pub(crate) fn give(
    engine: &Engine,
    container: &Container,
    network: &str,
    name: &str,
) -> Result<bool, EngineError> {
    join_as(engine, container, name, |it| it == network)
}

/// Puts a container back on the networks that it was `before` on and is not any more: docker 29 forgets them when a
/// start fails, and then starts it without any.
pub(crate) fn rejoin(
    engine: &Engine,
    before: &Container,
    now: &Container,
) -> Result<(), EngineError> {
    let mut lost = lost(before, now);
    lost.try_for_each(|(network, options)| engine.connect(network, &now.id, &options))
}

/// What [`rejoin`] does, as commands for a person.
pub(crate) fn rejoin_commands(before: &Container, now: &Container) -> Vec<String> {
    let command = |(network, options): (&str, Vec<String>)| {
        let words = [&options[..], &[network.to_owned(), now.name().to_owned()]].concat();
        format!("docker network connect {}", words.join(" "))
    };
    lost(before, now).map(command).collect()
}

/// The networks that it is not on any more, with what it had there.
fn lost<'a>(
    before: &'a Container,
    now: &'a Container,
) -> impl Iterator<Item = (&'a str, Vec<String>)> {
    let places = before.network_settings.networks.iter();
    places
        .filter(|(network, _)| !now.network_settings.networks.contains_key(*network))
        .map(|(network, place)| (network.as_str(), options(before, place, None)))
}

/// Puts the candidate back on its network, which a promotion that ended in the middle of
/// [`share_name`] has left it without. Only the final container has all its names there again.
pub(crate) fn put_back(engine: &Engine, candidate: Container) -> Result<Container, EngineError> {
    // Podman says the same of every network of its own; then it is what the run options say.
    let asked = Recipe::of(&candidate).filter(|_| candidate.is_podman());
    let asked = asked.and_then(|recipe| network_of(&recipe.options));
    let network = asked.unwrap_or_else(|| candidate.host_config.network_mode.clone());
    // What podman without root has in a network's place.
    let is_none = matches!(network.as_str(), "default" | "pasta" | "slirp4netns");
    let is_own = resolves(&network) && !network.contains(':') && !is_none;
    if !candidate.state.up() || !is_own || !candidate.network_settings.networks.is_empty() {
        return Ok(candidate);
    }
    engine.connect(&network, &candidate.id, &[])?;
    Ok(engine.container(&candidate.id)?.unwrap_or(candidate))
}

/// The network that a container was created on, by its run options; with several there is none that can be told.
fn network_of(options: &[String]) -> Option<String> {
    const FLAGS: [&str; 2] = ["--network", "--net"];
    let mut words = options.iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let (flag, value) = word.split_once('=').unzip();
        if FLAGS.contains(&flag.unwrap_or(word)) {
            found.extend(value.or_else(|| words.next().map(String::as_str)));
        }
    }
    match found[..] {
        [only] => Some(only.to_owned()),
        _ => None,
    }
}

/// Takes a name away again from a container, as it is now.
pub(crate) fn take(
    engine: &Engine,
    container: &Container,
    network: &str,
    name: &str,
) -> Result<(), EngineError> {
    let place = container.network_settings.networks.get(network);
    let Some(place) = place.filter(|place| is_known(place, name)) else {
        return Ok(());
    };
    let mut kept = options(container, place, None);
    kept.retain(|option| *option != format!("--alias={name}"));
    engine.disconnect(network, &container.id)?;
    engine.connect(network, &container.id, &kept)
}

/// Whether clients that call `name` find this container.
pub(crate) fn is_known_as(container: &Container, name: &str) -> bool {
    let mut places = container.network_settings.networks.values();
    places.any(|place| is_known(place, name))
}

/// Whether containers on that network find this one by `name`.
pub(crate) fn is_known(place: &Attachment, name: &str) -> bool {
    place.aliases.iter().any(|alias| alias == name)
}

/// What the candidate had on that network, and a name besides.
fn options(candidate: &Container, place: &Attachment, name: Option<&str>) -> Vec<String> {
    let own = place
        .aliases
        .iter()
        .filter(|alias| !candidate.id.starts_with(alias.as_str()));
    let aliases = own
        .map(String::as_str)
        .chain(name)
        .map(|alias| format!("--alias={alias}"));
    let fixed = place.fixed_addresses().map(|ip| match ip {
        IpAddr::V4(ip) => format!("--ip={ip}"),
        IpAddr::V6(ip) => format!("--ip6={ip}"),
    });
    aliases.chain(fixed).collect()
}

#[cfg(test)]
mod tests {
    use super::network_of;

    #[test]
    fn the_only_network_among_run_options_is_found_in_every_form() {
        let found =
            |options: &str| network_of(&Vec::from_iter(options.split(' ').map(String::from)));
        for options in [
            "--network front",
            "--memory 9m --net=front",
            "--network=front -it",
        ] {
            assert_eq!(found(options).as_deref(), Some("front"), "{options}");
        }
        for options in ["--network=a --network=b", "--network-alias=a", "--network"] {
            assert_eq!(found(options), None, "{options}");
        }
    }
}
