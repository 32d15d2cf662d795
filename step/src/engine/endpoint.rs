//! What a container is to have on a network that it is put on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::json;

/// A place on a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Further names.
    pub aliases: Vec<String>,
    /// Fixed addresses, at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// `container:alias` each.
    pub links: Vec<String>,
    /// Link-local addresses.
    pub link_local: Vec<String>,
    /// The network driver's options.
    pub driver_opts: BTreeMap<String, String>,
    /// Which network has the default route: the highest. 0 is said to no engine: older ones know no such thing.
    pub gw_priority: i64,
    /// The hardware address. The CLI has no option for it, so it needs the engine's socket.
    pub mac: Option<String>,
}

impl Endpoint {
    /// All but the hardware address, as options of `network connect`.
    pub fn options(&self) -> Vec<String> {
        let names = self.aliases.iter().map(|name| format!("--alias={name}"));
        let fixed = self.addresses.iter().map(|ip| match ip {
            IpAddr::V4(ip) => format!("--ip={ip}"),
            IpAddr::V6(ip) => format!("--ip6={ip}"),
        });
        let links = self.links.iter().map(|link| format!("--link={link}"));
        let local = self.link_local.iter();
        let local = local.map(|ip| format!("--link-local-ip={ip}"));
        let driver = self.driver_opts.iter();
        let driver = driver.map(|(key, value)| format!("--driver-opt={key}={value}"));
        let route = Some(self.gw_priority).filter(|&it| it != 0);
        let route = route.map(|it| format!("--gw-priority={it}"));
        let all = names.chain(fixed).chain(links);
        all.chain(local).chain(driver).chain(route).collect()
    }

    /// All of it, as the engine's socket is asked to put the container with this id there.
    pub(super) fn request(&self, id: &str) -> String {
        let of = |is_wanted: fn(&IpAddr) -> bool| {
            let found = self.addresses.iter().find(|ip| is_wanted(ip));
            found.map_or_else(String::new, ToString::to_string)
        };
        json!({
            "Container": id,
            "EndpointConfig": {
                "Aliases": self.aliases,
                "IPAMConfig": {
                    "IPv4Address": of(IpAddr::is_ipv4),
                    "IPv6Address": of(IpAddr::is_ipv6),
                    "LinkLocalIPs": self.link_local,
                },
                "Links": self.links,
                "DriverOpts": self.driver_opts,
                "GwPriority": self.gw_priority,
                "MacAddress": self.mac,
            },
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cli_and_the_socket_are_told_the_same() {
        let endpoint = Endpoint {
            aliases: vec!["api".to_owned()],
            addresses: vec!["fd00::9".parse().unwrap(), "10.1.0.9".parse().unwrap()],
            links: vec!["db:store".to_owned()],
            link_local: vec!["169.254.7.7".to_owned()],
            driver_opts: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            gw_priority: 7,
            mac: Some("92:d0:c6:0a:29:33".to_owned()),
        };
        let words = "--alias=api --ip6=fd00::9 --ip=10.1.0.9 --link=db:store --link-local-ip=169.254.7.7 --driver-opt=a=b --gw-priority=7";
        assert_eq!(endpoint.options().join(" "), words);
        let asked: serde_json::Value = serde_json::from_str(&endpoint.request("1")).unwrap();
        let config = &asked["EndpointConfig"];
        assert_eq!(config["IPAMConfig"]["IPv4Address"], "10.1.0.9");
        assert_eq!(config["MacAddress"], "92:d0:c6:0a:29:33");
        assert_eq!(Endpoint::default().options(), Vec::<String>::new());
    }
}
