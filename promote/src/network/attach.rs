//! What a container has on a network when it is put back there, or put there for the first time.

use std::net::IpAddr;

use step::engine::attachment::Attachment;
use step::engine::container::Container;
use step::engine::endpoint::Endpoint;
use step::model::places::Place;

/// What the container has there and what the place is to have besides, whose addresses go before its own.
pub(super) fn connected(
    container: &Container,
    there: Option<&Attachment>,
    place: &Place,
) -> Endpoint {
    let there = there.cloned().unwrap_or_default();
    let own: Vec<&str> = there.further_names(&container.id).collect();
    let more = place.aliases.iter().map(String::as_str);
    let more = more.filter(|alias| !own.contains(alias));
    let aliases = own.iter().copied().chain(more);
    Endpoint {
        mac: place.mac.clone(),
        ..endpoint(&there, aliases, &place.addresses)
    }
}

/// What the container has there besides names and addresses, with these names, and these addresses in the place of its
/// own of their families.
pub(super) fn endpoint<'a>(
    there: &Attachment,
    aliases: impl IntoIterator<Item = &'a str>,
    addresses: &[IpAddr],
) -> Endpoint {
    let mut fixed = addresses.to_vec();
    for own in there.fixed_addresses() {
        add_address(&mut fixed, own);
    }
    Endpoint {
        aliases: aliases.into_iter().map(str::to_owned).collect(),
        addresses: fixed,
        links: there.links.clone(),
        link_local: there.link_local().to_vec(),
        driver_opts: there.driver_opts.clone(),
        gw_priority: there.gw_priority,
        mac: None,
    }
}

/// One container has one address of a family: what is there already goes before this one.
pub(super) fn add_address(all: &mut Vec<IpAddr>, ip: IpAddr) {
    if all.iter().all(|it| it.is_ipv4() != ip.is_ipv4()) {
        all.push(ip);
    }
}

/// The networks that it is not on any more, with what it had there.
pub(super) fn lost<'a>(
    before: &'a Container,
    now: &'a Container,
) -> impl Iterator<Item = (&'a str, Endpoint)> {
    let places = before.network_settings.networks.iter();
    places
        .filter(|(network, _)| !now.network_settings.networks.contains_key(*network))
        .map(|(network, there)| {
            let names = there.further_names(&before.id);
            (network.as_str(), endpoint(there, names, &[]))
        })
}
