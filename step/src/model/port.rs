//! Published ports: `[IP:]HOST:CONTAINER[/PROTOCOL]`, as in `docker run --publish`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::printable;

/// All addresses of this host: of either family the unspecified one.
pub const EVERYWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The only one that is probed and drained.
    Tcp,
    /// Such as DNS and HTTP/3; redirected as well.
    Udp,
    /// Such as telephony.
    Sctp,
}

impl Protocol {
    const ALL: [(&str, Self); 3] = [("tcp", Self::Tcp), ("udp", Self::Udp), ("sctp", Self::Sctp)];

    /// As engines write it.
    pub fn word(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, it)| *it == self);
        known.map_or("tcp", |(word, _)| word)
    }
}

/// A port of a container by its number and protocol, as engines write it: `53/udp`.
///
/// # Errors
/// What it should look like.
pub fn container_port(text: &str) -> Result<(u16, Protocol), String> {
    let (number, word) = text.split_once('/').unwrap_or((text, "tcp"));
    let known = Protocol::ALL.iter().find(|(known, _)| *known == word);
    let (_, protocol) = known.ok_or_else(|| {
        let word = printable(word, 20);
        format!("`{word}` is no protocol of a port: there are tcp, udp and sctp")
    })?;
    Ok((port(Some(number), text)?, *protocol))
}

/// One port of the host that leads to a port of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Publish {
    /// The host address it is bound to; `None` is every address, 0.0.0.0 every IPv4 and `::` every IPv6 address.
    pub address: Option<IpAddr>,
    /// The port on the host, 1 to 65535.
    pub host: u16,
    /// The port in the container, 1 to 65535.
    pub container: u16,
    /// What is spoken on it.
    pub protocol: Protocol,
}

impl Publish {
    /// The port on the host, with its protocol where that is not TCP: `53/udp`.
    pub fn host_port(&self) -> String {
        match self.protocol {
            Protocol::Tcp => self.host.to_string(),
            other => format!("{}/{}", self.host, other.word()),
        }
    }

    /// The same with every address where it has the unspecified one.
    #[must_use]
    pub fn of_any(mut self) -> Self {
        self.address = self.address.filter(|ip| !ip.is_unspecified());
        self
    }

    /// Whether both are of one port of the host, at whatever addresses.
    pub fn shares_port(&self, other: &Self) -> bool {
        (self.host, self.protocol) == (other.host, other.protocol)
    }

    /// Whether both cannot be had at once.
    pub fn collides(&self, other: &Self) -> bool {
        let every = |ip: Option<IpAddr>| ip.is_none_or(|ip| ip.is_unspecified());
        let family = |ip: Option<IpAddr>| ip.map(|ip| ip.is_ipv4());
        let families = family(self.address)
            .zip(family(other.address))
            .is_none_or(|(one, two)| one == two);
        let meet = every(self.address) || every(other.address) || self.address == other.address;
        self.shares_port(other) && families && meet
    }
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fields = text.rsplitn(3, ':');
        let (container, protocol) = container_port(fields.next().unwrap_or_default())?;
        let host = port(fields.next(), text)?;
        let address = fields.next().map(|ip| address(ip, text)).transpose()?;
        Ok(Self {
            address,
            host,
            container,
            protocol,
        })
    }
}

fn port(field: Option<&str>, whole: &str) -> Result<u16, String> {
    field
        .filter(|digits| digits.chars().all(|c| c.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|&number| number > 0)
        .ok_or_else(|| {
            format!(
                "`{}` is not [IP:]HOST_PORT:CONTAINER_PORT[/PROTOCOL] with ports 1 to 65535",
                printable(whole, 100)
            )
        })
}

fn address(text: &str, whole: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    bare.unwrap_or(text).parse().map_err(|_| {
        format!(
            "`{}` does not start with an IP address",
            printable(whole, 100)
        )
    })
}

as_text!(Publish);

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
            None => {}
        }
        write!(f, "{}:{}", self.host, self.container)?;
        match self.protocol {
            Protocol::Tcp => Ok(()),
            other => write!(f, "/{}", other.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_the_same() {
        for text in [
            "80:8080",
            "127.0.0.1:80:8080",
            "[::1]:80:8080",
            "0.0.0.0:80:8080",
            "[::]:80:8080",
            "53:5353/udp",
            "127.0.0.1:9:9/sctp",
        ] {
            assert_eq!(text.parse::<Publish>().unwrap().to_string(), text);
        }
        let tcp: Publish = "80:8080/tcp".parse().unwrap();
        assert_eq!(tcp.to_string(), "80:8080");
    }

    #[test]
    fn ports_collide_where_an_address_a_family_and_a_protocol_are_the_same() {
        let of = |text: &str| text.parse::<Publish>().unwrap();
        for (one, two, do_collide) in [
            ("80:1", "80:2", true),
            ("80:1", "127.0.0.1:80:2", true),
            ("0.0.0.0:80:1", "127.0.0.1:80:2", true),
            ("0.0.0.0:80:1", "[::]:80:2", false),
            ("127.0.0.1:80:1", "127.0.0.2:80:1", false),
            ("80:1", "80:1/udp", false),
            ("80:1", "81:1", false),
        ] {
            assert_eq!(of(one).collides(&of(two)), do_collide, "{one} {two}");
        }
    }

    #[test]
    fn ranges_other_protocols_and_nonsense_are_refused() {
        for bad in [
            "",
            "80",
            ":80",
            "80:",
            "0:80",
            "80:0",
            "80-81:80-81",
            "53:53/quic",
            "53/udp:53",
            "x:1:2",
            "+1:2",
            "1:2:3:4",
            "-1:2",
        ] {
            assert!(bad.parse::<Publish>().is_err(), "{bad}");
        }
    }
}
