//! A port of the live container, and where the candidate is called instead.
//!
//! A host's port may lead to several ports of the app: one for everybody, and one for its owner on loopback. So each publish
//! of the next release has the addresses that are for it, and no other publish's.

use std::net::{IpAddr, SocketAddr};

use step::engine::container::Container;
use step::health::ProbeConfig;
use step::model::port::{EVERYWHERE, Protocol, Publish};

use super::error::NoBridge;

/// A port of the live container, and where the candidate is called instead.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// On the host.
    pub(crate) port: u16,
    /// What is spoken there.
    pub(crate) protocol: Protocol,
    /// The host's addresses at which the engine has it; 0.0.0.0 and `::` are all of a family.
    at: Vec<IpAddr>,
    /// Those that another publish of that port has.
    except: Vec<IpAddr>,
    /// The candidate's own address and port.
    pub(crate) v4: SocketAddr,
    /// The same in the other family, where it has an address there.
    pub(crate) v6: Option<SocketAddr>,
}

impl Door {
    /// Of a published port, one of `all`: where the engine has it for the live container now. One that is down has it where
    /// it is to be published.
    ///
    /// # Errors
    /// Where the candidate has no address that this machine reaches.
    pub(crate) fn of(
        publish: Publish,
        all: &[Publish],
        live: Option<&Container>,
        candidate: &Container,
    ) -> Result<Self, NoBridge> {
        let own = || publish.address.map_or(EVERYWHERE.to_vec(), |ip| vec![ip]);
        let beside: Vec<&Publish> = all.iter().filter(|it| publish.shares_port(it)).collect();
        Ok(Self {
            port: publish.host,
            protocol: publish.protocol,
            at: live.map_or_else(own, |live| share(publish, &beside, &called(live, publish))),
            except: singles(publish, &beside).collect(),
            v4: address(candidate, publish)?,
            v6: candidate
                .own_v6()
                .map(|ip| SocketAddr::new(ip, publish.container)),
        })
    }

    /// Where the candidate is called in the family.
    pub(crate) fn candidate(&self, is_v6: bool) -> Option<SocketAddr> {
        if is_v6 { self.v6 } else { Some(self.v4) }
    }

    /// Whether health is asked behind it.
    pub(crate) fn is_asked(&self, config: &ProbeConfig) -> bool {
        let asked = config.probe.port;
        self.protocol == Protocol::Tcp && asked.is_none_or(|asked| asked == self.v4.port())
    }

    /// Whether nobody was served at it.
    pub(crate) fn is_shut(&self) -> bool {
        self.at.is_empty()
    }

    /// Whether it is open on all addresses of the family.
    pub(crate) fn is_everywhere(&self, is_v6: bool) -> bool {
        let mut family = self.at.iter().filter(|ip| ip.is_ipv6() == is_v6);
        family.any(IpAddr::is_unspecified)
    }

    /// The addresses of the family at which it is not open, wherever else it is.
    pub(crate) fn excepted(&self, is_v6: bool) -> impl Iterator<Item = IpAddr> {
        let all = self.except.iter().copied();
        all.filter(move |ip| ip.is_ipv6() == is_v6)
    }

    /// Whether it is open at this address among all others.
    pub(crate) fn is_among_all(&self, ip: IpAddr) -> bool {
        self.is_everywhere(ip.is_ipv6()) && !self.except.contains(&ip)
    }

    /// The first address of the family that it is bound to by itself.
    pub(crate) fn bound(&self, is_v6: bool, is_loopback: bool) -> Option<IpAddr> {
        self.single(is_v6)
            .find(|ip| ip.is_loopback() == is_loopback)
    }

    /// The addresses of the family that it is bound to one by one.
    pub(crate) fn single(&self, is_v6: bool) -> impl Iterator<Item = IpAddr> {
        let all = self.at.iter().copied();
        all.filter(move |ip| ip.is_ipv6() == is_v6 && !ip.is_unspecified())
    }
}

/// The address to which a bridge for this port redirects.
pub(crate) fn address(candidate: &Container, publish: Publish) -> Result<SocketAddr, NoBridge> {
    let address = candidate
        .own_address(publish.container)
        .filter(SocketAddr::is_ipv4);
    address.ok_or(NoBridge::NoAddress)
}

/// Where the live container is called at the host's port of `publish`, and its own port behind each address.
fn called(live: &Container, publish: Publish) -> Vec<(IpAddr, u16)> {
    let mut all = live.network_settings.doors(publish);
    let everywhere = all.iter().find(|(ip, _)| *ip == EVERYWHERE[0]).copied();
    if let Some((_, port)) = everywhere.filter(|_| live.is_podman()) {
        // Podman writes the same of one family and of both.
        all.push((EVERYWHERE[1], port));
    }
    all
}

/// What `publish` has of the addresses at which the live container is `called`, beside all publishes of that port: who
/// calls one of them gets what the next release publishes there.
fn share(publish: Publish, beside: &[&Publish], called: &[(IpAddr, u16)]) -> Vec<IpAddr> {
    let mut at = Vec::new();
    for &(ip, port) in called {
        let own = publish.address.filter(|own| {
            ip.is_unspecified() && !own.is_unspecified() && own.is_ipv6() == ip.is_ipv6()
        });
        at.extend(own);
        if owner(beside, ip, port) == Some(publish) {
            at.push(ip);
        }
    }
    at
}

/// Which of these publishes has an address at which the live container is called: the one that is for it. An address
/// that the next release does not have any more stays with the same port of the container, if that is published.
fn owner(beside: &[&Publish], ip: IpAddr, port: u16) -> Option<Publish> {
    let is_for_all = |it: &Publish| {
        let own = it.address;
        own.is_none_or(|own| own.is_unspecified() && own.is_ipv6() == ip.is_ipv6())
    };
    let first = |is: &dyn Fn(&Publish) -> bool| beside.iter().find(|it| is(it)).map(|it| **it);
    first(&|it| it.address == Some(ip))
        .or_else(|| first(&is_for_all))
        .or_else(|| first(&|it| it.container == port))
}

/// The addresses that other publishes of that port have one by one.
fn singles(publish: Publish, beside: &[&Publish]) -> impl Iterator<Item = IpAddr> {
    let others = beside.iter().filter(move |it| ***it != publish);
    others
        .filter_map(|it| it.address)
        .filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "10.77.0.1";
    const LOOPBACK: &str = "127.0.0.1";

    /// Who is led where: `ADDRESS>CONTAINER PORT` each.
    fn led(next: &[&str], live: &[(&str, u16)]) -> Vec<String> {
        let next: Vec<Publish> = next.iter().map(|it| it.parse().unwrap()).collect();
        let called: Vec<(IpAddr, u16)> = live
            .iter()
            .map(|(ip, port)| (ip.parse().unwrap(), *port))
            .collect();
        let beside: Vec<&Publish> = next.iter().collect();
        let of = |publish: &Publish| {
            let at = share(*publish, &beside, &called).into_iter();
            let port = publish.container;
            at.map(move |ip| format!("{ip}>{port}")).collect::<Vec<_>>()
        };
        next.iter().flat_map(of).collect()
    }

    #[test]
    fn each_address_leads_to_what_the_next_release_publishes_there() {
        let live = [(PUBLIC, 8080), (LOOPBACK, 9090)];
        let same = ["10.77.0.1:80:8080", "127.0.0.1:80:9090"];
        assert_eq!(led(&same, &live), ["10.77.0.1>8080", "127.0.0.1>9090"]);
        let swapped = ["10.77.0.1:80:9090", "127.0.0.1:80:8080"];
        assert_eq!(led(&swapped, &live), ["10.77.0.1>9090", "127.0.0.1>8080"]);
        assert_eq!(
            led(&["80:3000"], &live),
            ["10.77.0.1>3000", "127.0.0.1>3000"]
        );
    }

    #[test]
    fn an_address_that_is_published_no_more_leads_to_what_it_led_to_or_nowhere() {
        let live = [(PUBLIC, 8080), (LOOPBACK, 9090)];
        assert_eq!(led(&["10.77.0.1:80:8080"], &live), ["10.77.0.1>8080"]);
        let moved = led(&["127.0.0.1:80:8080"], &live);
        assert_eq!(moved, ["10.77.0.1>8080", "127.0.0.1>8080"]);
        assert!(led(&["10.77.0.2:80:3000"], &live).is_empty());
    }

    #[test]
    fn of_all_addresses_each_publish_has_its_own() {
        let live = [("0.0.0.0", 8080), ("::", 8080)];
        assert_eq!(
            led(&["80:9090"], &live),
            ["0.0.0.0>9090", ":: >9090"].map(|it| it.replace(' ', ""))
        );
        let two = led(&["10.77.0.1:80:8080", "127.0.0.1:80:9090"], &live);
        assert_eq!(
            two,
            [
                "10.77.0.1>8080",
                "0.0.0.0>8080",
                "::>8080",
                "127.0.0.1>9090"
            ]
        );
        assert_eq!(led(&["127.0.0.1:80:9090"], &live), ["127.0.0.1>9090"]);
        let families = ["0.0.0.0:80:8080", "[::]:80:9090"];
        assert_eq!(led(&families, &live), ["0.0.0.0>8080", "::>9090"]);
    }

    #[test]
    fn a_publish_for_all_addresses_leaves_those_of_the_others_out() {
        let all: [Publish; 2] = ["80:8080", "127.0.0.1:80:9090"].map(|it| it.parse().unwrap());
        let of = |nth: usize| singles(all[nth], &[&all[0], &all[1]]).collect::<Vec<_>>();
        assert_eq!(of(0), [IpAddr::from([127, 0, 0, 1])]);
        assert!(of(1).is_empty());
    }
}
