//! What a bridge needs before it can open: who is to be redirected, and sockets for whom the kernel cannot translate.

use std::io;

use serde_json::Value;
use step::engine::Engine;
use step::engine::container::Container;
use step::engine::routes::is_plain;
use step::health::ProbeConfig;
use step::host::nft::{Nft, NftError};
use step::model::name::Name;
use step::model::port::{Protocol, Publish};

use super::calls::one_of_each_kind;
use super::door::Door;
use super::error::NoBridge;
use super::forwarder::Forwarder;
use super::look::look;
use super::plan::{Before, Plan};
use super::redirect::PortRedirect;
use super::route::{self, Interface, filters_any_bridge};
use super::ruleset::{self, datagrams, looking, proxied::label};
use super::served::Served;
use super::sockets::Sockets;
use crate::cgroup::Cgroup;

/// Between whom a bridge leads.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'a> {
    /// The app's container by name.
    pub(crate) container: &'a Name,
    /// The one that serves now, if one does.
    pub(crate) live: Option<&'a Container>,
    pub(crate) candidate: &'a Container,
    /// The TCP ports that the next release publishes.
    pub(crate) publish: &'a [Publish],
    /// Its UDP ports.
    pub(crate) datagrams: &'a [Publish],
}

/// Sees who is served, and binds the sockets of the forwarders, which nobody else can reach from the start.
pub(super) fn plan(
    nft: &Nft,
    engine: &Engine,
    sides: &Sides<'_>,
    config: &ProbeConfig,
) -> Result<(Plan, Vec<Sockets>), NoBridge> {
    // The kernel then loses what `tproxy` has handed over of packets from a bridge: seen with Linux 6.18.
    let is_filtered = filters_any_bridge();
    let container = sides.container;
    let listing = nft.may_have(container).then(|| nft.read(container));
    let listing = listing.flatten().unwrap_or_default();
    let before = Before::of(&listing);
    let mut labels: Vec<u16> = before.former.iter().map(|it| label(it.forwarder)).collect();
    let doors = doors(sides)?.into_iter();
    let led = doors.map(|door| led(door, &mut labels, is_filtered));
    let led: Vec<_> = led
        .collect::<Result<_, _>>()
        .map_err(NoBridge::NoForwarder)?;
    let (ports, sockets): (Vec<PortRedirect>, Vec<Sockets>) = led.into_iter().unzip();
    if ports.is_empty() {
        return Err(NoBridge::NobodyCalls);
    }
    let guard = ruleset::guard(container, ports.iter());
    let (served, is_answered) = served(nft, sides, &ports, (&listing, &before, &guard), config)?;
    let address = ports.first().map(|it| it.door.v4);
    let interface = route::interface(sides.candidate, address)?;
    let bridges = bridges(engine, &interface);
    let of_connections = |it: &PortRedirect| it.door.protocol == Protocol::Tcp;
    let (redirects, datagrams) = ports.into_iter().partition(of_connections);
    let plan = Plan {
        container: container.clone(),
        redirects,
        datagrams,
        zone: zone(sides.candidate),
        served,
        is_answered,
        before,
        veths: veths(sides.candidate, &bridges),
        other_bridges: match is_filtered {
            true => route::bridges_beside(&bridges),
            false => Vec::new(),
        },
        bridges,
        interface,
    };
    Ok((plan, sockets))
}

/// The bridges of all the engine's networks; asked once more where there was no answer. Without one containers elsewhere
/// go where others go.
fn bridges(engine: &Engine, interface: &Interface) -> Vec<String> {
    let bridges = engine.bridges().or_else(|_| engine.bridges());
    let mut bridges = bridges.unwrap_or_default();
    // As nft could not take it, and an interface cannot have it.
    bridges.retain(|it| is_plain(it));
    if bridges.is_empty() {
        bridges.push(interface.name.clone());
    }
    bridges
}

/// The app's own zone for datagrams to this candidate: flows to one before it may still be in its zone. An id is
/// hexadecimal, and 0 is where all else is.
fn zone(candidate: &Container) -> u16 {
    let first = candidate.id.get(..4);
    let zone = first.and_then(|it| u16::from_str_radix(it, 16).ok());
    zone.unwrap_or_default().max(1)
}

/// A door with its sockets; the labels of those before it and of earlier forwarders are `taken`.
fn led(door: Door, taken: &mut Vec<u16>, is_filtered: bool) -> io::Result<(PortRedirect, Sockets)> {
    let is_of_connections = door.protocol == Protocol::Tcp;
    let bound = match is_of_connections {
        true => sockets_beside(taken, is_filtered)?,
        false => Sockets::for_datagrams(is_filtered)?,
    };
    let (forwarder, own) = bound.ports()?;
    let redirect = PortRedirect {
        door,
        forwarder,
        for_containers: match is_of_connections {
            true => own,
            false => is_filtered.then_some(forwarder),
        },
    };
    Ok((redirect, bound))
}

/// Bound to ports by which connections of containers are told from those of other forwarders.
fn sockets_beside(taken: &mut Vec<u16>, for_containers: bool) -> io::Result<Sockets> {
    let mut bound = Sockets::bind(for_containers)?;
    for _ in 0..10 {
        let ours = bound.ports()?.1.map(label);
        if ours.is_none_or(|ours| !taken.contains(&ours)) {
            break;
        }
        bound = Sockets::bind(for_containers)?;
    }
    taken.extend(bound.ports()?.1.map(label));
    Ok(bound)
}

/// Those of the ports at which the live container is called: of connections first.
fn doors(sides: &Sides<'_>) -> Result<Vec<Door>, NoBridge> {
    let ports = sides.publish.iter().chain(sides.datagrams);
    let all: Vec<Publish> = ports.copied().collect();
    let of = |publish: &Publish| Door::of(*publish, &all, sides.live, sides.candidate);
    let doors: Vec<Door> = all.iter().map(of).collect::<Result<_, _>>()?;
    Ok(doors.into_iter().filter(|it| !it.is_shut()).collect())
}

/// As seen now, and whether the live container answers; where nothing is live as a killed promotion has seen it. From then
/// on nobody but the rules may come to the forwarders.
fn served(
    nft: &Nft,
    sides: &Sides<'_>,
    redirects: &[PortRedirect],
    (listing, before, guard): (&Value, &Before, &str),
    config: &ProbeConfig,
) -> Result<(Served, bool), NoBridge> {
    let Sides {
        container,
        candidate,
        ..
    } = *sides;
    if sides.live.is_none() {
        nft.apply(guard)?;
        let remembered = Served::remembered(listing);
        return Ok((remembered.unwrap_or_else(Served::usually), true));
    }
    let doors = redirects.iter().map(|it| &it.door);
    let calls = one_of_each_kind(doors, candidate, config);
    nft.apply(&(looking::look(container, &calls, before) + guard))?;
    let (seen, is_answered) = look(nft, container, &calls, config)?;
    let seen = match route::own_v6() {
        None => seen.with_neighbours(),
        Some(_) => seen,
    };
    Ok((seen, is_answered))
}

/// The candidate's own port of the bridge behind which it is called, in each family: that may be another bridge.
fn veths(candidate: &Container, bridges: &[String]) -> [Option<String>; 2] {
    [candidate.own_v4(), candidate.own_v6()].map(|ip| {
        let hardware = candidate.hardware_of(ip?)?;
        let mut all = bridges.iter();
        all.find_map(|bridge| route::bridge_port(bridge, hardware))
    })
}

/// One forwarder for each port.
pub(super) fn forwarders(
    plan: &Plan,
    sockets: Vec<Sockets>,
    candidate: &Container,
    cgroup: &Cgroup,
) -> Result<Vec<Forwarder>, NoBridge> {
    let all = plan.all().zip(sockets);
    let start = |(redirect, sockets): (&PortRedirect, Sockets)| {
        let (to, pid) = (redirect.door.v4, candidate.state.pid);
        Forwarder::start(sockets, to, pid, &plan.container, cgroup).map_err(NoBridge::NoForwarder)
    };
    all.map(start).collect()
}

/// Opens it; the script that did. Where nothing is live, datagrams are led from the beginning. A kernel may be built without
/// rules for bridges, or without zones.
pub(super) fn apply(nft: &Nft, plan: &Plan, is_live: bool) -> Result<String, NftError> {
    let of_datagrams = match is_live {
        true => String::new(),
        false => datagrams::lead(plan),
    };
    let unbound = Plan {
        veths: [None, None],
        ..plan.clone()
    };
    let script = ruleset::open(plan) + &of_datagrams;
    let Err(why) = nft.apply(&script) else {
        return Ok(script);
    };
    let without = ruleset::open(&unbound);
    let mut others = [without.clone() + &of_datagrams, without].into_iter();
    others.find(|it| nft.apply(it).is_ok()).ok_or(why)
}
