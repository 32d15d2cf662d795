//! What is probed, and where.

use std::net::SocketAddr;

use super::ProbeConfig;
use super::check::{HttpCheck, NO_HEALTHCHECK, NetworkCheck};
use crate::engine::container::Container;
use crate::engine::summary::Crash;
use crate::model::port::Publish;
use crate::model::probe::Probe;
use crate::ownership::marks::recipe_of;
use crate::text::printable;

/// Which of a container's addresses is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The port the engine published on this machine, which works wherever the engine runs.
    HostPort,
    /// The container's own address, which nothing else can answer for.
    OwnAddress,
}

/// One place to probe.
#[derive(Debug)]
pub struct Target {
    /// The container's full id, where it is a container.
    pub(crate) id: Option<String>,
    /// How the container had ended already when it was inspected.
    pub(crate) crash: Option<Crash>,
    /// What is asked over the network; `None` for a program inside or a HEALTHCHECK.
    pub(crate) network: Option<NetworkCheck>,
    pub(crate) config: ProbeConfig,
    /// The place, for people.
    pub shown: String,
}

impl Target {
    /// A container, at the one address or, where it has no such, at the other.
    ///
    /// # Errors
    /// Why there is no address to ask.
    pub fn container(container: &Container, config: &ProbeConfig, by: By) -> Result<Self, String> {
        let probe = &config.probe;
        let crashed = !container.state.up();
        let mut target = Self {
            id: Some(container.id.clone()),
            crash: crashed.then(|| Crash::of(container)),
            network: None,
            config: config.clone(),
            shown: container.name().to_owned(),
        };
        if crashed {
            return Ok(target);
        }
        if config.is_inside() {
            return config.may_pass(container).map(|()| target);
        }
        let port = port(container, probe)?;
        let own = container.own_address(port);
        let published = container.host_address(port);
        let found = match by {
            By::OwnAddress => own.or(published),
            By::HostPort => published.or(own),
        };
        let at = found.ok_or_else(|| no_address(port))?;
        (target.network, target.shown) = (Some(config.network(at)), config.shown(at));
        Ok(target)
    }

    /// Whether a container like this one, on the same networks, could be asked if it published only these ports.
    ///
    /// # Errors
    /// Why there would be no address to ask.
    pub fn foreseen(
        container: &Container,
        config: &ProbeConfig,
        publish: &[Publish],
    ) -> Result<(), String> {
        if config.is_inside() {
            return Ok(());
        }
        let port = port(container, &config.probe)?;
        let published = publish.iter().any(|publish| publish.container == port);
        let reachable = published || container.own_address(port).is_some();
        reachable.then_some(()).ok_or_else(|| no_address(port))
    }

    /// Any URL, without a container behind it that could be watched.
    pub fn url(url: &str, config: &ProbeConfig) -> Self {
        let look = NetworkCheck::Http(Box::new(HttpCheck::new(url.to_owned(), config)));
        Self::without_container(look, config, printable(&without_login(url), 200))
    }

    /// Whatever answers at an address. A program inside or a HEALTHCHECK cannot be asked from outside, so a connection
    /// must do.
    pub fn at(at: SocketAddr, config: &ProbeConfig) -> Self {
        Self::without_container(config.network(at), config, config.shown(at))
    }

    fn without_container(look: NetworkCheck, config: &ProbeConfig, shown: String) -> Self {
        Self {
            id: None,
            crash: None,
            network: Some(look),
            config: config.clone(),
            shown,
        }
    }
}

/// A URL without the name and the password that it may hold.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}

fn no_address(port: u16) -> String {
    format!("port {port} of the container is neither published nor reachable from this machine")
}

/// How to probe at an address, and how that is shown.
impl ProbeConfig {
    /// The same where nothing is known of what a port speaks: a connection that stays open for a moment must do.
    #[must_use]
    pub fn connecting(&self, port: u16) -> Self {
        let probe = Probe {
            tcp: true,
            port: Some(port),
            ..Probe::default()
        };
        Self {
            probe,
            ..self.clone()
        }
    }

    /// By a program in the container or its HEALTHCHECK.
    pub fn is_inside(&self) -> bool {
        self.probe.docker_health || !self.probe.exec.is_empty()
    }

    /// What the engine has no word of, and nothing to run for, is never healthy.
    fn may_pass(&self, container: &Container) -> Result<(), String> {
        let is_checked = container.config.healthcheck().is_some();
        match container.state.health() {
            None if self.probe.docker_health && !is_checked => Err(NO_HEALTHCHECK.to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether an accepted connection is all that can be seen from outside.
    pub fn only_connects(&self) -> bool {
        self.probe.tcp || self.is_inside()
    }

    fn network(&self, at: SocketAddr) -> NetworkCheck {
        if self.only_connects() {
            return NetworkCheck::Tcp(at, self.timeout);
        }
        let scheme = if self.probe.https { "https" } else { "http" };
        let url = format!("{scheme}://{at}{}", self.probe.path());
        NetworkCheck::Http(Box::new(HttpCheck::new(url, self)))
    }

    fn shown(&self, at: SocketAddr) -> String {
        if self.only_connects() {
            at.to_string()
        } else {
            format!("{at}{}", printable(self.probe.path(), 200))
        }
    }
}

/// The port to ask: the one named, else the first that is or will be published, else the only exposed one.
fn port(container: &Container, probe: &Probe) -> Result<u16, String> {
    let planned = recipe_of(container).map(|recipe| recipe.tcp());
    let planned = planned.unwrap_or_default();
    let bound = container.network_settings.bound();
    let first = planned
        .first()
        .or(bound.first())
        .map(|publish| publish.container);
    match (probe.port.or(first), &container.exposed()[..]) {
        (Some(port), _) => Ok(port),
        (None, [only]) => Ok(*only),
        (None, []) => Err("the container neither publishes nor exposes a port".to_owned()),
        (None, _) => Err("the container exposes several ports".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_a_url_is_not_shown() {
        for (url, shown) in [
            ("http://me:hunter2@web:80/x?a=b@c", "http://web:80/x?a=b@c"),
            ("https://hunter2@[::1]", "https://[::1]"),
            ("http://web/@x", "http://web/@x"),
        ] {
            assert_eq!(without_login(url), shown);
        }
    }
}
