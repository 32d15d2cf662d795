//! Fixed addresses, of the run options and of the live container. The candidate has none of them: they are the live
//! container's until that one has stopped, and then the final container's.

use std::net::IpAddr;

use step::engine::Engine;
use step::engine::container::Container;
use step::engine::endpoint::Endpoint;
use step::engine::error::EngineError;
use step::model::places::{Place, mode, named, places, unreadable};
use step::model::subnet::Subnet;
use step::recipe::Recipe;

use crate::failure::{Failure, WayOut};

/// So many other addresses are tried, the last of the subnet first.
const MOST_TRIED: usize = 50;

/// Whether names and addresses among the options can be had at all, as the engine looks at them too late.
///
/// # Errors
/// Why not, for a sentence.
pub(crate) fn make_sense(options: &[String], on_podman: bool) -> Result<(), String> {
    const WITHOUT: [&str; 5] = ["bridge", "default", "podman", "host", "none"];
    if let Some(flag) = unreadable(options) {
        return Err(format!("the value of {flag} is no address"));
    }
    let network = mode(options).unwrap_or("default");
    let has_none = WITHOUT.contains(&network) || network.starts_with("container:");
    // Podman's default network has fixed addresses, and podman refuses names there by itself.
    match named(options).filter(|_| has_none && !on_podman) {
        Some(flag) => Err(format!(
            "{flag} needs a --network of your own, beside it, after the `--`"
        )),
        None => Ok(()),
    }
}

/// Whether the final container will be able to have the addresses that are asked for.
pub(crate) fn free(
    engine: &Engine,
    recipe: &Recipe,
    live: Option<&Container>,
) -> Result<(), Failure> {
    let asked = places(&recipe.options, false);
    for place in asked.iter().filter(|place| !place.addresses.is_empty()) {
        let there = engine.neighbours(&place.network)?;
        let subnets: Vec<Subnet> = there
            .subnets
            .iter()
            .filter_map(|it| it.parse().ok())
            .collect();
        for ip in &place.addresses {
            let network = &place.network;
            if !subnets.is_empty() && !subnets.iter().any(|subnet| subnet.contains(*ip)) {
                let why = format!("the address {ip} is in no subnet of {network}");
                return Err(Failure::refused(why, WayOut::Mend));
            }
            let holder = there.holders.iter().find(|(held, _)| held == ip);
            let other = holder.filter(|(_, id)| live.is_none_or(|live| live.id != *id));
            if let Some((_, id)) = other {
                let why = format!("the address {ip} on {network} is the container's {id}");
                return Err(Failure::refused(why, WayOut::Mend));
            }
        }
    }
    Ok(())
}

/// The engine may give the candidate the very address that the final container is to have. It gets another one.
pub(crate) fn leave(
    engine: &Engine,
    recipe: &Recipe,
    live: Option<&Container>,
    id: &str,
) -> Result<(), EngineError> {
    let wanted = wanted(recipe, live);
    if wanted.is_empty() {
        return Ok(());
    }
    let Some(found) = engine.container(id)? else {
        return Ok(());
    };
    for (network, there) in &found.network_settings.networks {
        let Some((has, prefix)) = there.address() else {
            continue;
        };
        let mut its = wanted.iter().filter(|it| there.is_on(network, &it.network));
        if its.any(|it| it.addresses.contains(&has)) {
            move_away(engine, id, network, &wanted, Subnet::around(has, prefix))?;
        }
    }
    Ok(())
}

/// All that are fixed, by their networks.
fn wanted(recipe: &Recipe, live: Option<&Container>) -> Vec<Place> {
    let mut all = places(&recipe.options, false);
    let networks = live.map(|live| &live.network_settings.networks);
    let of_live = networks
        .into_iter()
        .flatten()
        .map(|(network, there)| Place {
            network: network.clone(),
            addresses: there.fixed_addresses().collect(),
            ..Place::default()
        });
    all.extend(of_live);
    all.retain(|place| !place.addresses.is_empty());
    all
}

fn move_away(
    engine: &Engine,
    id: &str,
    network: &str,
    wanted: &[Place],
    subnet: Subnet,
) -> Result<(), EngineError> {
    engine.disconnect(network, id)?;
    let taken = |ip: &IpAddr| wanted.iter().any(|it| it.addresses.contains(ip));
    let others = subnet.from_the_end().filter(|ip| !taken(ip));
    for ip in others.take(MOST_TRIED) {
        let endpoint = Endpoint {
            addresses: vec![ip],
            ..Endpoint::default()
        };
        match engine.connect(network, id, &endpoint) {
            // Somebody else's.
            Err(EngineError::Failed { .. }) => {}
            done => return done,
        }
    }
    engine.connect(network, id, &Endpoint::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_need_a_network_of_their_own() {
        let judged = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            make_sense(&words, false)
        };
        for fine in [
            "--network front --network-alias api",
            "--net=front --ip 10.1.0.2",
            "-it",
        ] {
            assert_eq!(judged(fine), Ok(()));
        }
        for wrong in [
            "--network-alias api",
            "--network bridge --ip 172.17.0.9",
            "--network container:db --net-alias api",
            "--network front --ip 10.1.0",
        ] {
            assert!(judged(wrong).is_err(), "{wrong}");
        }
    }
}
