//! How engines write JSON: what they leave out, and where they differ.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::error::Category;

use crate::model::id::is_full_id;

/// The engine writes `null` for what is empty.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    value: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// A number. One that is not of this kind is none: nobody is to be unable to read a container for a number in it.
pub(crate) fn number<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(
    value: D,
) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(value)?).unwrap_or_default())
}

/// A full id as docker writes an image's: podman leaves out what it is a digest by.
pub(crate) fn image_id<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let id = String::deserialize(value)?;
    Ok(match is_full_id(&id) {
        true => format!("sha256:{id}"),
        false => id,
    })
}

/// Words, or one text of them all as older podman writes an entrypoint.
pub(crate) fn words<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Words(Vec<String>),
        Text(String),
    }
    Ok(match Option::deserialize(value)? {
        Some(Either::Words(words)) => words,
        Some(Either::Text(text)) => vec![text],
        None => Vec::new(),
    })
}

/// The number in `80/tcp`.
pub(crate) fn tcp_port(key: &str) -> Option<u16> {
    let number = key.strip_suffix("/tcp")?.parse().ok();
    number.filter(|&port| port > 0)
}

/// Where it went wrong; the error itself may quote what stands there.
pub(crate) fn unreadable(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        Category::Io | Category::Eof => "ends too early",
        Category::Syntax => "is no JSON",
        Category::Data => "is not of the expected shape",
    };
    format!("its answer {what}, at line {line}, column {column}")
}
