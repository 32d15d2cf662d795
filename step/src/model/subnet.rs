//! A subnet: its first address and the length of its prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A subnet of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// All bits of the first address, as of IPv6.
    first: u128,
    /// The bits that its addresses differ in.
    host: u32,
    is_v4: bool,
}

impl Subnet {
    /// The one around `ip` with a prefix of so many bits.
    pub fn around(ip: IpAddr, prefix: u8) -> Self {
        let (bits, width) = bits(ip);
        let host = width.saturating_sub(u32::from(prefix));
        Self {
            first: bits & !mask(host),
            host,
            is_v4: ip.is_ipv4(),
        }
    }

    /// Whether the address is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (bits, _) = bits(ip);
        ip.is_ipv4() == self.is_v4 && bits & !mask(self.host) == self.first
    }

    /// The addresses of containers, the last one first: neither the subnet's own first two nor its very last.
    pub fn from_the_end(self) -> impl Iterator<Item = IpAddr> {
        let last = self.first | mask(self.host);
        let usable = (self.first.saturating_add(2)..last).rev();
        usable.map(move |bits| match self.is_v4 {
            true => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
            false => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        })
    }
}

fn bits(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()), Ipv4Addr::BITS),
        IpAddr::V6(ip) => (ip.to_bits(), Ipv6Addr::BITS),
    }
}

/// So many ones at the end.
fn mask(host: u32) -> u128 {
    u128::MAX.checked_shr(u128::BITS - host).unwrap_or(0)
}

impl FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ip, prefix) = text.split_once('/').ok_or(())?;
        let ip = ip.parse().map_err(drop)?;
        Ok(Self::around(ip, prefix.parse().map_err(drop)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_subnet_of_its_prefix_and_in_no_other() {
        for (subnet, within, beyond) in [
            ("10.1.0.0/24", "10.1.0.255", "10.1.1.0"),
            ("10.1.0.0/16", "10.1.9.9", "fd00::1"),
            ("fd00::/64", "fd00::ffff", "fd00:0:0:1::"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("10.1.0.7/32", "10.1.0.7", "10.1.0.6"),
        ] {
            let subnet: Subnet = subnet.parse().unwrap();
            assert!(subnet.contains(within.parse().unwrap()), "{within}");
            assert!(!subnet.contains(beyond.parse().unwrap()), "{beyond}");
        }
        for none in ["10.1.0.0", "x/24", "10.1.0.0/x", ""] {
            assert_eq!(none.parse::<Subnet>(), Err(()), "{none}");
        }
    }

    #[test]
    fn its_last_addresses_come_first_and_none_that_is_the_networks_own() {
        let subnet = Subnet::around("10.1.0.3".parse().unwrap(), 29);
        let all: Vec<String> = subnet.from_the_end().map(|ip| ip.to_string()).collect();
        assert_eq!(
            all,
            ["10.1.0.6", "10.1.0.5", "10.1.0.4", "10.1.0.3", "10.1.0.2"]
        );
        let one = Subnet::around("10.1.0.3".parse().unwrap(), 32);
        assert_eq!(one.from_the_end().count(), 0);
    }
}
