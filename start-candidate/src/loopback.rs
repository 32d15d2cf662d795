//! Which ports a candidate gets on the host's loopback addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use step::engine::Engine;
use step::engine::address::towards;
use step::engine::container::Container;
use step::engine::image::Image;
use step::model::port::{Protocol, Publish};
use step::recipe::Recipe;

/// A port of the container that gets an ephemeral port of the host on a loopback address.
pub(crate) type Loopback = (IpAddr, u16, Protocol);

/// The ports to publish and to probe, else the image's only exposed one. A bridge leads clients there, too, and an engine
/// that drops what it forwards lets pass only what a container publishes in that family.
pub(crate) fn loopback(
    engine: &Engine,
    recipe: &Recipe,
    image: &Image,
    live: Option<&Container>,
) -> Vec<Loopback> {
    let spoken = |it: &Publish| (it.container, it.protocol);
    let probed = recipe.probe.port.map(|port| (port, Protocol::Tcp));
    let mut ports: Vec<_> = recipe.tcp().iter().map(spoken).chain(probed).collect();
    if let ([], [only]) = (&ports[..], &image.exposed()[..]) {
        ports.push((*only, Protocol::Tcp));
    }
    ports.extend(recipe.udp().iter().map(spoken));
    let mut all = on(Ipv4Addr::LOCALHOST.into(), ports);
    if live.is_some_and(|live| is_led_in_v6(engine, live)) {
        let led = recipe.tcp().into_iter().chain(recipe.udp());
        let led = led.filter(|it| it.address.is_none_or(|ip| ip.is_ipv6()));
        let led = led.map(|it| spoken(&it)).collect();
        all.extend(on(Ipv6Addr::LOCALHOST.into(), led));
    }
    all
}

fn on(address: IpAddr, mut ports: Vec<(u16, Protocol)>) -> Vec<Loopback> {
    ports.sort_unstable();
    ports.dedup();
    let all = ports.into_iter();
    all.map(|(port, spoken)| (address, port, spoken)).collect()
}

/// Whether a bridge may lead IPv6 clients of the live container to another one's own address: an engine of root's may
/// translate them. Podman lets pass all that is forwarded to its networks.
fn is_led_in_v6(engine: &Engine, live: &Container) -> bool {
    let loopback = IpAddr::from(Ipv6Addr::LOCALHOST);
    live.own_v6().is_some()
        && !live.is_podman()
        && !live.is_rootless()
        && engine.remote_host().is_none()
        && towards(loopback) == Some(loopback)
}
