//! An app on networks where a container can have names and addresses.

use serde_json::Value;
use stage::docker::docker;

use super::seen::{Seen, Words};
use crate::support::App;

/// Two networks, of which the first has subnets of both families.
pub(super) struct Networks {
    pub(super) app: App,
    pub(super) front: String,
    pub(super) back: String,
    addresses: [String; 2],
}

impl Networks {
    pub(super) fn new(nth: u8) -> Networks {
        let app = App::new("columns");
        let [front, back] = ["front", "back"].map(|end| format!("{}-{end}", app.name()));
        let v4 = format!("--subnet=10.213.{nth}.0/24");
        let v6 = format!("--subnet=fd00:10:213:{nth}::/64");
        docker(["network", "create", "--ipv6", &v4, &v6, &front]).unwrap();
        docker(["network", "create", &back]).unwrap();
        app.scope.at_end(["network", "rm", &front]);
        app.scope.at_end(["network", "rm", &back]);
        let addresses = [format!("10.213.{nth}.77"), format!("fd00:10:213:{nth}::77")];
        Networks {
            app,
            front,
            back,
            addresses,
        }
    }

    /// The options by which a container is on the first one with all that it can have there.
    pub(super) fn options(&self) -> [&str; 8] {
        let [v4, v6] = &self.addresses;
        let front = ["--network", &self.front, "--network-alias", "api"];
        let [a, b, c, d] = front;
        [a, b, c, d, "--ip", v4, "--ip6", v6]
    }

    pub(super) fn words(&self, seen: &Seen) -> Words {
        let there = |it: &Value| it["NetworkSettings"]["Networks"][&self.front].clone();
        let fixed = |key: &'static str, nth: usize| {
            seen.words(|it| there(it)["IPAMConfig"][key] == self.addresses[nth].as_str())
        };
        let has = |list: &Value, name: &str| {
            list.as_array()
                .is_some_and(|all| all.contains(&name.into()))
        };
        Words::from([
            ("network", seen.words(|it| there(it).is_object())),
            (
                "network-alias",
                seen.words(|it| has(&there(it)["Aliases"], "api")),
            ),
            ("ip", fixed("IPv4Address", 0)),
            ("ip6", fixed("IPv6Address", 1)),
            (
                "link-local-ip",
                seen.words(|it| has(&there(it)["IPAMConfig"]["LinkLocalIPs"], "169.254.7.7")),
            ),
            (
                "rm",
                seen.words(|it| it["HostConfig"]["AutoRemove"] == true),
            ),
            ("name", seen.names(&self.app)),
            ("a new name (`docker rename`)", seen.names(&self.app)),
        ])
    }
}
