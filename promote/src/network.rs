//! The names of containers on Docker networks: given, taken away, put back.
//!
//! Containers on a network of the user's own call an app by its name, or by aliases that its container has there.
//! While the live container is replaced the candidate must answer to all of them, or callers would find nobody. It has
//! none before it is verified, and neither has the final container. [`wanted`] says which places they are to have.
//!
//! No engine gives a name to a container that is on the network already. The container is taken off for a moment and
//! put back with one more alias. That breaks its connections there and may change its address, so it is verified once
//! more. Aliases and fixed addresses that it had must be given again. A promotion that was killed in that moment leaves
//! it on one network less: [`put_back`] finds that.

mod attach;
pub(crate) mod wanted;

use std::net::IpAddr;

use step::engine::Engine;
use step::engine::attachment::Attachment;
use step::engine::container::Container;
use step::engine::endpoint::Endpoint;
use step::engine::error::EngineError;
use step::model::places::{Place, places};
use step::ownership::marks::recipe_of;

use attach::{connected, endpoint, lost};

/// Gives the container these places, with their names and addresses. Returns whether anything was done; then its
/// addresses have changed.
///
/// The engine can only do it by taking the container off the network for a moment, which breaks
/// its connections there: it must be verified once more.
pub(crate) fn give(
    engine: &Engine,
    container: &Container,
    wanted: &[Place],
) -> Result<bool, EngineError> {
    let mut done = false;
    for place in wanted {
        let there = container.network_settings.networks.get(&place.network);
        let has_all = there.is_some_and(|there| {
            let is_fixed = |ip: &IpAddr| there.fixed_addresses().any(|it| it == *ip);
            place.aliases.iter().all(|alias| is_known(there, alias))
                && place.addresses.iter().all(is_fixed)
        });
        if has_all {
            continue;
        }
        if there.is_some() {
            engine.disconnect(&place.network, &container.id)?;
        }
        let endpoint = connected(container, there, place);
        engine.connect(&place.network, &container.id, &endpoint)?;
        done = true;
    }
    Ok(done)
}

/// Whether containers on that network are found by their names.
pub(crate) fn resolves(network: &str) -> bool {
    // The last three are what podman without root has in a network's place.
    !matches!(
        network,
        "bridge" | "podman" | "host" | "none" | "default" | "pasta" | "slirp4netns"
    )
}

/// Leaves a candidate, as it is now, with the networks it was made on and no name there but its own.
pub(crate) fn take_back(engine: &Engine, candidate: &Container) -> Result<(), EngineError> {
    let asked = asked(candidate);
    let is_asked = |network: &str, there: &Attachment| {
        let mut asked = asked.iter().flatten();
        asked.any(|it| there.is_on(network, &it.network))
    };
    for (network, there) in &candidate.network_settings.networks {
        let stays = asked.is_none() || !resolves(network) || is_asked(network, there);
        if stays && (!resolves(network) || foreign(candidate, there).next().is_none()) {
            continue;
        }
        engine.disconnect(network, &candidate.id)?;
        if stays {
            engine.connect(network, &candidate.id, &endpoint(there, [], &[]))?;
        }
    }
    reconnect(engine, candidate).map(drop)
}

/// The networks on which a candidate was made, where its recipe says so.
fn asked(candidate: &Container) -> Option<Vec<Place>> {
    let recipe = recipe_of(candidate)?;
    Some(places(&recipe.options, candidate.is_podman()))
}

/// Names that are neither the container's id nor its own name.
fn foreign<'a>(container: &'a Container, there: &'a Attachment) -> impl Iterator<Item = &'a str> {
    let all = there.further_names(&container.id);
    all.filter(|alias| *alias != container.name())
}

/// Puts a container back on the networks that it was `before` on and is not any more: docker 29 forgets them when a
/// start fails, and then starts it without any.
pub(crate) fn rejoin(
    engine: &Engine,
    before: &Container,
    now: &Container,
) -> Result<(), EngineError> {
    let mut lost = lost(before, now);
    lost.try_for_each(|(network, endpoint)| engine.connect(network, &now.id, &endpoint))
}

/// What [`rejoin`] does, as commands for a person.
pub(crate) fn rejoin_commands(before: &Container, now: &Container) -> Vec<String> {
    let command = |(network, endpoint): (&str, Endpoint)| {
        let words = [
            &endpoint.options()[..],
            &[network.to_owned(), now.name().to_owned()],
        ]
        .concat();
        format!("docker network connect {}", words.join(" "))
    };
    lost(before, now).map(command).collect()
}

/// Puts a candidate that runs back on those networks that it was made on and a promotion that ended in the middle of
/// [`give`] has left it without; the candidate as it is then. It has no names there.
pub(crate) fn put_back(engine: &Engine, candidate: Container) -> Result<Container, EngineError> {
    if !candidate.state.up() || !reconnect(engine, &candidate)? {
        return Ok(candidate);
    }
    Ok(engine.container(&candidate.id)?.unwrap_or(candidate))
}

/// The same, also of one that does not run; whether it was off any.
fn reconnect(engine: &Engine, candidate: &Container) -> Result<bool, EngineError> {
    let mut asked = asked(candidate).unwrap_or_default();
    let networks = &candidate.network_settings.networks;
    asked.retain(|it| {
        let is_there = networks
            .iter()
            .any(|(name, there)| there.is_on(name, &it.network));
        resolves(&it.network) && !it.network.contains(':') && !is_there
    });
    for place in &asked {
        engine.connect(&place.network, &candidate.id, &Endpoint::default())?;
    }
    Ok(!asked.is_empty())
}

/// Whether clients that call `name` find this container.
pub(crate) fn is_known_as(container: &Container, name: &str) -> bool {
    let mut places = container.network_settings.networks.values();
    places.any(|place| is_known(place, name))
}

/// Whether any client calls the container by another name than its own.
pub(crate) fn is_called(container: &Container) -> bool {
    let mut places = container.network_settings.networks.values();
    places.any(|there| foreign(container, there).next().is_some())
}

/// The networks on which the container is called by what a rename does not move: further names, and fixed addresses.
pub(crate) fn called(container: &Container) -> impl Iterator<Item = &str> {
    let all = container.network_settings.networks.iter();
    let is_called = |there: &Attachment| {
        let named = there.further_names(&container.id).next().is_some();
        named || there.fixed_addresses().next().is_some()
    };
    all.filter(move |(network, there)| resolves(network) && is_called(there))
        .map(|(network, _)| network.as_str())
}

/// Whether containers on that network find this one by `name`.
pub(crate) fn is_known(place: &Attachment, name: &str) -> bool {
    place.aliases.iter().any(|alias| alias == name)
}
