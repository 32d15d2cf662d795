//! Published ports: `[IP:]HOST:CONTAINER[/tcp]`, as in `docker run --publish`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::printable;

/// One TCP port of the host that leads to a port of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Publish {
    /// The host address it is bound to; `None` is every address.
    pub address: Option<IpAddr>,
    /// The port on the host, 1 to 65535.
    pub host: u16,
    /// The port in the container, 1 to 65535.
    pub container: u16,
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_suffix("/tcp").unwrap_or(text);
        let mut fields = bare.rsplitn(3, ':');
        let container = port(fields.next(), text)?;
        let host = port(fields.next(), text)?;
        let address = fields.next().map(|ip| address(ip, text)).transpose()?;
        Ok(Self {
            address: address.filter(|ip| *ip != IpAddr::from([0, 0, 0, 0])),
            host,
            container,
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
                "`{}` is not [IP:]HOST_PORT:CONTAINER_PORT with tcp ports 1 to 65535",
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

impl TryFrom<String> for Publish {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Publish> for String {
    fn from(publish: Publish) -> Self {
        publish.to_string()
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
            None => {}
        }
        write!(f, "{}:{}", self.host, self.container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_the_same() {
        for text in ["80:8080", "127.0.0.1:80:8080", "[::1]:80:8080"] {
            assert_eq!(text.parse::<Publish>().unwrap().to_string(), text);
        }
        assert_eq!(
            "0.0.0.0:80:8080/tcp"
                .parse::<Publish>()
                .unwrap()
                .to_string(),
            "80:8080"
        );
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
            "53:53/udp",
            "x:1:2",
            "+1:2",
            "1:2:3:4",
            "-1:2",
        ] {
            assert!(bad.parse::<Publish>().is_err(), "{bad}");
        }
    }
}
