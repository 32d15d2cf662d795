//! What `nft` lists of an app's rules.

use std::net::IpAddr;

use serde_json::Value;

/// By what connections of other hosts are counted where they come in, while the bridge is closed.
pub(crate) const ENTERED: char = 'E';
/// The same where they are forwarded, behind most rules of a firewall.
pub(crate) const FORWARDED: char = 'F';
/// What the rule that remembers who is served begins its comment with.
pub(crate) const REMEMBERED: &str = "served ";

/// The comment of rules about forwarders of an earlier promotion.
pub(crate) const FORMER: &str = "former";

/// How many packets the rules of this tag have counted, in one chain or in all.
pub(crate) fn counted(listing: &Value, tag: &str, chain: Option<&str>) -> u64 {
    let rules = rules(listing).filter(|rule| {
        let first = rule["comment"].as_str().and_then(|it| it.split(' ').next());
        first == Some(tag) && chain.is_none_or(|chain| rule["chain"] == chain)
    });
    let parts = rules.filter_map(|rule| rule["expr"].as_array()).flatten();
    parts
        .filter_map(|part| part["counter"]["packets"].as_u64())
        .sum()
}

/// What the rules about these clients at a port are counted by.
pub(crate) fn tag(letter: char, is_v6: bool, port: u16) -> String {
    format!("{letter}{}:{port}", if is_v6 { 6 } else { 4 })
}

/// What the rules say about themselves.
pub(crate) fn comments(listing: &Value) -> impl Iterator<Item = &str> {
    rules(listing).filter_map(|rule| rule["comment"].as_str())
}

/// Where forwarders listen for containers, and the port that these call: by the rules of the chain that put the port of
/// answers right.
pub(crate) fn formers(listing: &Value, chain: &str) -> Vec<Former> {
    let answers = rules(listing).filter(|rule| rule["chain"] == chain);
    let former = |rule: &Value| {
        let parts = rule["expr"].as_array()?;
        let forwarder = parts.iter().find_map(|it| it["match"]["right"].as_u64())?;
        let called = parts.iter().find_map(|it| it["mangle"]["value"].as_u64())?;
        Some(Former {
            forwarder: forwarder.try_into().ok()?,
            called: called.try_into().ok()?,
        })
    };
    answers.filter_map(former).collect()
}

/// A forwarder that a killed promotion has left: it answers what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Former {
    /// Where it listens.
    pub(crate) forwarder: u16,
    /// The port that its clients call.
    pub(crate) called: u16,
}

/// Whether these are a bridge's rules, whoever they lead by now.
pub(crate) fn stands(listing: &Value) -> bool {
    comments(listing).any(|it| it.contains(" promote of ") || it.starts_with(REMEMBERED))
}

fn rules(listing: &Value) -> impl Iterator<Item = &Value> {
    let items = listing["nftables"].as_array().into_iter().flatten();
    items.filter_map(|item| item.get("rule"))
}

/// The ports at which forwarders listen, by the rules that keep strangers from them: these outlast the others.
pub(crate) fn forwarders(listing: &Value) -> Vec<u16> {
    let own = rules(listing).filter(|it| it["chain"] == "input" && it["comment"] != FORMER);
    let parts = own.filter_map(|rule| rule["expr"].as_array());
    let port = |part: &Value| {
        let found = &part["match"];
        let is_port = found["left"]["payload"]["field"] == "dport";
        found["right"].as_u64().filter(|_| is_port)?.try_into().ok()
    };
    parts.flatten().filter_map(port).collect()
}

/// The addresses whose calls the rules redirect: one of a family.
pub(crate) fn called(listing: &Value) -> Vec<IpAddr> {
    let redirect = rules(listing).filter(|rule| rule["chain"] == "prerouting");
    let parts = redirect.filter_map(|rule| rule["expr"].as_array());
    let address = |part: &Value| {
        let found = &part["match"];
        let is_called = found["left"]["payload"]["field"] == "daddr";
        found["right"].as_str().filter(|_| is_called)?.parse().ok()
    };
    parts.flatten().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_counted_by_the_tag_and_the_chain_of_their_rules() {
        let rule = |tag: &str, chain: &str, packets: u32| {
            serde_json::json!({"rule": {
            "chain": chain, "comment": format!("{tag} promote of web"), "expr": [{"match": {}}, {"counter": {"packets": packets}}]}})
        };
        let rules = serde_json::json!({"nftables": [rule("O4:80", "a", 1), rule("O4:80", "b", 2), rule("O4:801", "a", 4)]});
        assert_eq!(counted(&rules, "O4:80", None), 3);
        assert_eq!(counted(&rules, "O4:80", Some("a")), 1);
        assert_eq!(counted(&rules, "O6:80", None), 0);
    }

    #[test]
    fn former_forwarders_of_containers_are_known_by_the_rules_for_their_answers() {
        let rules = serde_json::json!({"nftables": [{"rule": {"chain": "answers", "expr": [
            {"match": {"left": {"payload": {"field": "sport"}}, "right": 4000}},
            {"mangle": {"key": {"payload": {"field": "sport"}}, "value": 80}},
        ]}}, {"rule": {"chain": "relabel", "expr": [{"match": {"right": 1}}]}}]});
        let former = Former {
            forwarder: 4000,
            called: 80,
        };
        assert_eq!(formers(&rules, "answers"), [former]);
        assert_eq!(formers(&rules, "replies"), []);
    }

    #[test]
    fn forwarders_are_known_by_what_only_the_rules_may_send_them() {
        let part = |field: &str, right: Value| serde_json::json!({"match": {"left": {"payload": {"field": field}}, "right": right}});
        let rule = |chain: &str, port: u16| serde_json::json!({"rule": {"chain": chain, "expr": [part("dport", port.into()), {"counter": {}}]}});
        let mut former = rule("input", 39);
        former["rule"]["comment"] = FORMER.into();
        let rules = serde_json::json!({"nftables": [rule("prerouting", 80), rule("input", 41), rule("input", 40), former]});
        assert_eq!(forwarders(&rules), [41, 40]);
        assert!(forwarders(&Value::Null).is_empty());
    }

    #[test]
    fn the_addresses_that_are_called_are_neither_the_network_that_calls_nor_who_answers() {
        let part = |field: &str, right: Value| serde_json::json!({"match": {"left": {"payload": {"field": field}}, "right": right}});
        let network = serde_json::json!({"prefix": {"addr": "172.18.0.0", "len": 16}});
        let rule = |chain: &str, ip: &str| {
            serde_json::json!({"rule": {"chain": chain, "expr": [
                part("saddr", network.clone()), part("daddr", ip.into()), part("daddr", "@called".into()),
            ]}})
        };
        let rules = serde_json::json!({"nftables": [{"table": {}}, rule("prerouting", "172.18.0.2"),
            rule("prerouting", "fd88::2"), rule("postrouting", "172.18.0.3")]});
        let both: [IpAddr; 2] = ["172.18.0.2", "fd88::2"].map(|it| it.parse().unwrap());
        assert_eq!(called(&rules), both);
        assert!(called(&Value::Null).is_empty());
    }
}
