//! `--mount`, from what the engine shows of it.

use serde_json::Value;

/// Where a field is shown, and how it is called.
const FIELDS: [(&str, &str); 13] = [
    ("/Type", "type"),
    ("/Source", "source"),
    ("/Target", "target"),
    ("/ReadOnly", "readonly"),
    ("/Consistency", "consistency"),
    ("/BindOptions/Propagation", "bind-propagation"),
    ("/BindOptions/NonRecursive", "bind-nonrecursive"),
    ("/VolumeOptions/NoCopy", "volume-nocopy"),
    ("/VolumeOptions/Subpath", "volume-subpath"),
    ("/VolumeOptions/DriverConfig/Name", "volume-driver"),
    ("/TmpfsOptions/SizeBytes", "tmpfs-size"),
    ("/TmpfsOptions/Mode", "tmpfs-mode"),
    ("/ImageOptions/Subpath", "image-subpath"),
];
/// The same of fields that hold pairs.
const PAIRS: [(&str, &str); 2] = [
    ("/VolumeOptions/Labels/", "volume-label"),
    ("/VolumeOptions/DriverConfig/Options/", "volume-opt"),
];

/// All fields, or `None` where one of them has no name.
pub(super) fn mount(shown: &Value) -> Option<String> {
    let mut fields = Vec::new();
    collect(shown, String::new(), &mut fields)?;
    Some(fields.join(","))
}

fn collect(shown: &Value, path: String, into: &mut Vec<String>) -> Option<()> {
    let value = match shown {
        Value::Object(fields) => {
            let mut each = fields.iter();
            return each.try_for_each(|(key, value)| collect(value, format!("{path}/{key}"), into));
        }
        Value::Null | Value::Bool(false) => return Some(()),
        Value::Bool(true) => "true".to_owned(),
        Value::Number(mode) if path.ends_with("/Mode") => format!("{:o}", mode.as_u64()?),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => return Some(()),
        Value::String(text) => text.clone(),
        Value::Array(_) => return None,
    };
    let single = FIELDS.iter().find(|(at, _)| *at == path);
    let key = PAIRS
        .iter()
        .find_map(|(at, name)| Some((path.strip_prefix(at)?, name)));
    into.push(match (single, key) {
        (Some((_, name)), _) => quoted(&format!("{name}={value}")),
        (None, Some((key, name))) => quoted(&format!("{name}={key}={value}")),
        (None, None) => return None,
    });
    Some(())
}

/// As a list of this kind is read.
fn quoted(field: &str) -> String {
    match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}
