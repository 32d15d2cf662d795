//! What `nft` lists of an app's rules.

use std::net::IpAddr;

use serde_json::Value;

/// How many rules for `port` have counted a connection.
pub(crate) fn counted(listing: &Value, port: u16) -> usize {
    let counts = |rule: &Vec<Value>| {
        let counters = rule.iter().map(|part| &part["counter"]["packets"]);
        counters.flat_map(Value::as_u64).any(|packets| packets > 0)
    };
    rules_for(listing, port)
        .iter()
        .filter(|rule| counts(rule))
        .count()
}

/// The parts of each rule that looks for `port`.
fn rules_for(listing: &Value, port: u16) -> Vec<Vec<Value>> {
    let items = listing["nftables"].as_array().into_iter().flatten();
    let rules = items.filter_map(|item| item["rule"]["expr"].as_array());
    rules
        .filter(|parts| parts.iter().any(|part| part["match"]["right"] == port))
        .cloned()
        .collect()
}

/// The ports at which forwarders listen, by the rules that keep strangers from them: these outlast the others.
pub(crate) fn forwarders(listing: &Value) -> Vec<u16> {
    let items = listing["nftables"].as_array().into_iter().flatten();
    let rules = items.filter(|item| item["rule"]["chain"] == "input");
    let parts = rules.filter_map(|item| item["rule"]["expr"].as_array());
    let port = |part: &Value| {
        let found = &part["match"];
        let is_port = found["left"]["payload"]["field"] == "dport";
        found["right"].as_u64().filter(|_| is_port)?.try_into().ok()
    };
    parts.flatten().filter_map(port).collect()
}

/// The one address whose calls the rules redirect.
pub(crate) fn called(listing: &Value) -> Option<IpAddr> {
    let items = listing["nftables"].as_array()?.iter();
    let mut parts = items
        .filter_map(|item| item["rule"]["expr"].as_array())
        .flatten();
    parts.find_map(|part| {
        let found = &part["match"];
        let is_called = found["left"]["payload"]["field"] == "daddr";
        found["right"].as_str().filter(|_| is_called)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_of_the_port_that_counted_are_counted() {
        let rule = |port: u16, packets: u32| serde_json::json!({"rule": {"expr": [{"match": {"right": port}}, {"counter": {"packets": packets}}]}});
        let rules = serde_json::json!({"nftables": [rule(80, 1), rule(80, 0), rule(81, 1)]});
        assert_eq!((counted(&rules, 80), counted(&rules, 82)), (1, 0));
    }

    #[test]
    fn forwarders_are_known_by_what_only_the_rules_may_send_them() {
        let part = |field: &str, right: Value| serde_json::json!({"match": {"left": {"payload": {"field": field}}, "right": right}});
        let rule = |chain: &str, port: u16| serde_json::json!({"rule": {"chain": chain, "expr": [part("dport", port.into()), {"counter": {}}]}});
        let rules = serde_json::json!({"nftables": [rule("prerouting", 80), rule("input", 41), rule("input", 40)]});
        assert_eq!(forwarders(&rules), [41, 40]);
        assert!(forwarders(&Value::Null).is_empty());
    }

    #[test]
    fn the_address_that_is_called_is_not_the_network_that_calls() {
        let part = |field: &str, right: Value| serde_json::json!({"match": {"left": {"payload": {"field": field}}, "right": right}});
        let network = serde_json::json!({"prefix": {"addr": "172.18.0.0", "len": 16}});
        let parts = [part("saddr", network), part("daddr", "172.18.0.2".into())];
        let rules = serde_json::json!({"nftables": [{"table": {}}, {"rule": {"expr": parts}}]});
        assert_eq!(called(&rules), Some("172.18.0.2".parse().unwrap()));
        assert_eq!(called(&Value::Null), None);
    }
}
