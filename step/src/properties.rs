//! What holds for every text that anybody may give, log or answer.

mod engine;
mod identity;
mod labels;
mod ownership;
mod reports;
mod text;
mod values;

use proptest::prelude::*;
use serde_json::{Map, Value};

/// Texts of all kinds: what people type, what an attacker would, and anything.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,60}",
        "[a-z0-9:./@_+\\[\\]-]{0,40}",
        "(::|##\\[)?(error|group)?[\\]\\x00-\\x1f\\x7f-\\u{9f}\\u{200b}-\\u{206f} #\\[:]{0,20}",
    ]
}

/// Any JSON.
pub(crate) fn junk() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let pair = (texts(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            prop::collection::vec(pair, 0..6).prop_map(|pairs| Map::from_iter(pairs).into()),
        ]
    })
}

/// `value` with one of its parts, at any depth, replaced by `by`.
pub(crate) fn replaced(mut value: Value, at: prop::sample::Index, by: Value) -> Value {
    let mut places = Vec::new();
    collect(&value, String::new(), &mut places);
    let place: &String = at.get(&places);
    if let Some(part) = value.pointer_mut(place) {
        *part = by;
    }
    value
}

fn collect(value: &Value, here: String, places: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, part)| collect(part, format!("{here}/{}", escaped(key)), places)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(i, part)| collect(part, format!("{here}/{i}"), places)),
        _ => {}
    }
    places.push(here);
}

/// Something a person and a CI runner can be shown: one short line without any power.
pub(crate) fn is_harmless(text: &str) -> bool {
    !text.chars().any(char::is_control) && !text.contains("##[") && text.chars().count() < 1000
}

/// What an error says: one sentence that begins small and has no stop.
pub(crate) fn is_sentence(text: &str) -> bool {
    let begins = text.starts_with(|c: char| !c.is_uppercase() && !c.is_whitespace());
    begins && !text.ends_with('.') && !text.starts_with("::") && is_harmless(text)
}
