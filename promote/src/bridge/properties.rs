//! What the kernel and its tools answer may be anything: it is read or passed over.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use serde_json::{Value, json};
use step::engine::routes::interface_of;

use super::listing::counted;

fn junk() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop::sample::select(vec![
            "rule", "comment", "expr", "match", "counter", "packets", "x",
        ]);
        let map = prop::collection::btree_map(key.prop_map(str::to_owned), inner.clone(), 0..4);
        let list = prop::collection::vec(inner, 0..4);
        prop_oneof![
            list.prop_map(Value::from),
            map.prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

fn rule(packets: u64) -> Value {
    json!({"rule": {"comment": "O4:80 promote of web", "expr": [{"counter": {"packets": packets}}]}})
}

proptest! {
    #[test]
    fn rules_that_counted_are_found_among_any_others(others in prop::collection::vec(junk(), 0..6), packets in 0..3_u64) {
        let list = others.into_iter().chain([rule(packets)]).collect::<Vec<_>>();
        let rules = json!({"nftables": list});
        prop_assert!(counted(&rules, "O4:80", None) >= packets);
    }

    #[test]
    fn routes(lines in prop::collection::vec("([a-z0-9 ;]{1,6}\t){0,9}\\PC{0,5}", 0..6), ip in any::<Ipv4Addr>()) {
        let net = u32::from_ne_bytes(ip.octets());
        let own = format!("br-1\t{net:08X}\t0\t1\t0\t0\t0\tFFFFFFFF\t0\n");
        let routes = format!("head\n{}\n{own}", lines.join("\n"));
        prop_assert!(interface_of(&routes, ip).is_some_and(|name| !name.contains([';', ' '])));
    }
}
