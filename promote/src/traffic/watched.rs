//! Which published port is looked at as a client calls it, at which address, and how.
//!
//! It is the one behind which health is asked, where that is published. Of any other port only a connection can be
//! seen, whatever is spoken there: one that is accepted and stays open for a moment. The engine's proxy accepts for an
//! app that is not there as well, and closes then.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use step::engine::address::{host_side, is_here};
use step::engine::container::Container;
use step::health::ProbeConfig;
use step::health::target::Target;
use step::model::port::Publish;
use step::recipe::Recipe;

/// How long a container on this machine may take to take a connection.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A published port as a client calls it.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) publish: Publish,
    at: SocketAddr,
    /// How it is asked there.
    pub(crate) config: ProbeConfig,
}

impl Watched {
    /// Where the release is called, at an address that this host has now.
    pub(crate) fn of(recipe: &Recipe, config: &ProbeConfig) -> Option<Self> {
        let at = |it: &Publish| vec![host_side(it)];
        Self::choose(recipe, config, at)
    }

    /// The same where the live container is called as well: nobody was served at any other address before.
    pub(crate) fn shared(recipe: &Recipe, config: &ProbeConfig, live: &Container) -> Option<Self> {
        let at = |it: &Publish| {
            let bound = live.network_settings.doors(*it).into_iter();
            bound.filter_map(|(bound, _)| both(*it, bound)).collect()
        };
        Self::choose(recipe, config, at)
    }

    fn choose(
        recipe: &Recipe,
        config: &ProbeConfig,
        at: impl Fn(&Publish) -> Vec<SocketAddr>,
    ) -> Option<Self> {
        let asked = recipe.asked(&config.probe);
        let mut all = recipe.tcp();
        all.sort_by_key(|it| Some(it.container) != asked);
        let found = all.into_iter().find_map(|it| {
            let mut here = at(&it).into_iter().filter(|at| is_here(at.ip()));
            Some((it, here.next()?))
        });
        let (publish, at) = found?;
        let config = match Some(publish.container) == asked {
            true => config.clone(),
            false => config.connecting(publish.container),
        };
        Some(Self {
            publish,
            at,
            config,
        })
    }

    pub(crate) fn target(&self) -> Target {
        Target::at(self.at, &self.config)
    }
}

/// Where a port is called that one container has at `bound` and another one is to have as `publish` says.
fn both(publish: Publish, bound: IpAddr) -> Option<SocketAddr> {
    let address = match publish.address.filter(|ip| !ip.is_unspecified()) {
        Some(ip) => (ip == bound || bound.is_unspecified()).then_some(ip)?,
        None => bound,
    };
    let is_of_family = |ip: IpAddr| ip.is_ipv4() == bound.is_ipv4();
    publish.address.is_none_or(is_of_family).then(|| {
        host_side(&Publish {
            address: Some(address),
            ..publish
        })
    })
}

/// The container's published TCP ports that take connections at its own address.
pub(crate) fn open(container: &Container) -> Vec<u16> {
    if !container.state.up() {
        return Vec::new();
    }
    let bound = container.network_settings.bound().into_iter();
    let mut open: Vec<u16> = bound.map(|it| it.container).collect();
    open.sort_unstable();
    open.dedup();
    open.retain(|port| takes(container, *port));
    open
}

/// Whether it takes a connection on this port of its own address, where nothing accepts for it.
pub(crate) fn takes(container: &Container, port: u16) -> bool {
    let connect = |at: SocketAddr| TcpStream::connect_timeout(&at, AT_ONCE).is_ok();
    container.own_address(port).is_some_and(connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_watched_where_both_releases_have_it() {
        for (publish, bound, at) in [
            ("80:8080", "0.0.0.0", Some("127.0.0.1:80")),
            ("80:8080", "::", Some("[::1]:80")),
            ("80:8080", "10.0.0.9", Some("10.0.0.9:80")),
            ("0.0.0.0:80:8080", "127.0.0.2", Some("127.0.0.2:80")),
            ("0.0.0.0:80:8080", "::1", None),
            ("10.0.0.9:80:8080", "0.0.0.0", Some("10.0.0.9:80")),
            ("10.0.0.9:80:8080", "10.0.0.9", Some("10.0.0.9:80")),
            ("10.0.0.9:80:8080", "127.0.0.1", None),
            ("10.0.0.9:80:8080", "::", None),
            ("[::1]:80:8080", "::", Some("[::1]:80")),
        ] {
            let found = both(publish.parse().unwrap(), bound.parse().unwrap());
            assert_eq!(found, at.map(|it| it.parse().unwrap()), "{publish} {bound}");
        }
    }
}
