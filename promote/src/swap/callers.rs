//! Who calls the app by its names on networks of the user's own: from the old container to the candidate, and on to the
//! final one once that is verified.
//!
//! A rename moves the container's own name with docker, and with podman not. Nothing moves an alias from a container
//! that runs: taken off its network it would lose what it is answering. So calls to its address are redirected.

use std::thread;
use std::time::Duration;

use step::engine::container::Container;
use step::model::places::Place;
use step::terminal::warn;

use super::error::SwapError;
use super::{Swap, verify};
use crate::args::Alias;
use crate::bridge::redirect;
use crate::network;
use crate::network::wanted::{also_named, wanted};

/// Who has looked the name up just before it was taken away calls within a moment.
const LOOKED_UP: Duration = Duration::from_millis(20);

/// The places that the release is to have on networks.
pub(super) fn places(swap: &Swap<'_>) -> Vec<Place> {
    let old = swap.old.as_ref().map(|old| &old.container);
    let live = &swap.promotion.names.live;
    wanted(&swap.recipe.options, old, live, swap.is_on_podman())
}

/// Before the old container is drained: its callers go to the candidate, which has its names as well.
pub(super) fn redirect(swap: &mut Swap<'_>, old: &Container) {
    let name = &swap.promotion.names.live;
    if let (Some(bridge), Some(candidate)) = (swap.link.bridge_mut(), &swap.candidate) {
        bridge.redirect_name(match old.is_podman() {
            true => redirect::by_name(old, candidate, name),
            false => network::called(old)
                .flat_map(|network| redirect::on_network(network, old, candidate))
                .collect(),
        });
    }
    if swap.candidate_has_name() && !old.is_podman() {
        thread::sleep(LOOKED_UP);
    }
}

/// The verified container gets the names that callers know, and is verified once more. With docker its own comes with
/// its rename.
pub(super) fn give_names(swap: &Swap<'_>) -> Result<(), SwapError> {
    let (engine, live) = (&swap.promotion.engine, &swap.promotion.names.live);
    let mut places = places(swap);
    if swap.is_on_podman() {
        places = also_named(places, live);
    }
    if places.iter().all(|place| place.aliases.is_empty()) {
        return Ok(());
    }
    match engine.container(swap.next_id()?)? {
        Some(next) if network::give(engine, &next, &places)? => verify::on_its_address(swap),
        _ => Ok(()),
    }
}

/// The places of a candidate that goes live itself, with the alias that moves. A fixed address of the old container's
/// cannot move, as both run.
pub(super) fn places_with(swap: &Swap<'_>, alias: Alias<'_>) -> Vec<Place> {
    let mut places = places(swap);
    let old = swap.old.as_ref().map(|old| &old.container);
    for place in &mut places {
        let there = old.and_then(|old| old.network_settings.networks.get(&place.network));
        let held: Vec<_> = there
            .into_iter()
            .flat_map(|it| it.fixed_addresses())
            .collect();
        for ip in place.addresses.iter().filter(|ip| held.contains(ip)) {
            let (network, name) = (&place.network, &swap.promotion.names.live);
            warn(&format!(
                "promote: {name} gets another address on {network}: {ip} is the old container's until it ends"
            ));
        }
        place.addresses.retain(|ip| !held.contains(ip));
        place.mac = place.mac.take().filter(|_| old.is_none());
    }
    let (network, name) = (alias.network.to_owned(), alias.name.to_owned());
    match places.iter_mut().find(|place| place.network == network) {
        Some(place) if place.aliases.contains(&name) => {}
        Some(place) => place.aliases.push(name),
        None => places.push(Place {
            network,
            aliases: vec![name],
            ..Place::default()
        }),
    }
    places
}
