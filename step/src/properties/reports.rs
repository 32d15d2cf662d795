//! A report that `--from` takes brings only what the flags would have taken too.

#[path = "../../fuzz/oracle.rs"]
mod oracle;

use proptest::prelude::*;
use serde_json::Value;

use super::{junk, replaced};

const SEEDS: [&str; 4] = [
    include_str!("../../fuzz/seeds/pulled.json"),
    include_str!("../../fuzz/seeds/started.json"),
    include_str!("../../fuzz/seeds/probed.json"),
    include_str!("../../fuzz/seeds/failed.json"),
];

fn seeds() -> impl Strategy<Value = Value> {
    prop::sample::select(&SEEDS[..]).prop_map(|seed| serde_json::from_str(seed).unwrap())
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    oracle::check(text).map(drop).map_err(TestCaseError::fail)
}

#[test]
fn real_reports_are_taken() {
    for seed in SEEDS {
        assert_eq!(oracle::check(seed), Ok(true));
    }
}

/// What is right in one place and wrong in another.
fn parts() -> impl Strategy<Value = Value> {
    let texts = ["", "web", "-x", "a b", "/a", "@a", "sha256:8", "80:80"].to_vec();
    let texts = prop::sample::select(texts).prop_map(Value::from);
    prop_oneof![junk(), (0..3).prop_map(Value::from), texts]
}

proptest! {
    #[test]
    fn with_any_part_replaced(seed in seeds(), at in any::<prop::sample::Index>(), by in parts()) {
        holds(&replaced(seed, at, by).to_string())?;
    }

    #[test]
    fn with_bytes_flipped_and_cut_away(seed in seeds(), at in any::<prop::sample::Index>(), byte in any::<u8>(), end in any::<prop::sample::Index>()) {
        let mut bytes = seed.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        holds(&String::from_utf8_lossy(&bytes))?;
        bytes.truncate(end.index(bytes.len()));
        holds(&String::from_utf8_lossy(&bytes))?;
    }
}
