//! Parts of a specification as values of options, and what names a value.

use serde_json::Value;

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn plain(value: &Value) -> Vec<String> {
    items(value).filter_map(text).collect()
}

pub(super) fn pairs(value: &Value) -> Vec<String> {
    let all = value.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)))
        .collect()
}

pub(super) fn networks(value: &Value) -> Vec<String> {
    items(value).filter_map(|it| text(&it["Target"])).collect()
}

pub(super) fn secrets(value: &Value) -> Vec<String> {
    items(value)
        .filter_map(|it| file(it, "SecretName"))
        .collect()
}

pub(super) fn configs(value: &Value) -> Vec<String> {
    items(value)
        .filter_map(|it| file(it, "ConfigName"))
        .collect()
}

fn file(value: &Value, name: &str) -> Option<String> {
    let (source, file) = (value[name].as_str()?, &value["File"]);
    let part = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
    let mode = file["Mode"].as_u64().unwrap_or(0o444);
    let (target, uid, gid) = (part("Name"), part("UID"), part("GID"));
    Some(format!(
        "source={source},target={target},uid={uid},gid={gid},mode=0{mode:o}"
    ))
}

pub(super) fn mounts(value: &Value) -> Vec<String> {
    let mount = |it: &Value| {
        let (kind, target) = (it["Type"].as_str()?, it["Target"].as_str()?);
        let source = it["Source"]
            .as_str()
            .map(|source| format!(",source={source}"));
        let readonly = if it["ReadOnly"] == true {
            ",readonly"
        } else {
            ""
        };
        let source = source.unwrap_or_default();
        Some(format!("type={kind}{source},target={target}{readonly}"))
    };
    items(value).filter_map(mount).collect()
}

pub(super) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn number(value: &Value) -> Option<String> {
    value.as_u64().filter(|&n| n > 0).map(|n| n.to_string())
}

pub(super) fn nanoseconds(value: &Value) -> Option<String> {
    number(value).map(|n| format!("{n}ns"))
}

pub(super) fn cpus(value: &Value) -> Option<String> {
    let nano = value.as_u64().filter(|&n| n > 0)?;
    Some(format!(
        "{}.{:09}",
        nano / 1_000_000_000,
        nano % 1_000_000_000
    ))
}

/// Words as one that the CLI takes apart again.
pub(super) fn words(value: &Value) -> Option<String> {
    let quoted = |word: String| {
        let inner = word.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{inner}\"")
    };
    let words: Vec<String> = plain(value).into_iter().map(quoted).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

pub(super) fn health(value: &Value) -> Option<String> {
    match &plain(value)[..] {
        [kind, command] if kind == "CMD-SHELL" => Some(command.clone()),
        _ => None,
    }
}

pub(super) fn before_equals(value: &str) -> &str {
    value.split('=').next().unwrap_or_default()
}

pub(super) fn source(value: &str) -> &str {
    let parts = value.strip_prefix("source=").unwrap_or(value);
    parts.split(',').next().unwrap_or_default()
}

pub(super) fn target(value: &str) -> &str {
    let after = value
        .split_once("target=")
        .map_or(value, |(_, after)| after);
    after.split(',').next().unwrap_or_default()
}

pub(super) fn whole(value: &str) -> &str {
    value
}
