//! Which of its contexts the CLI is told to use.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

/// The context that the CLI is told to use, if it is not the usual one.
///
/// # Errors
/// When its settings cannot be read.
pub(super) fn chosen() -> io::Result<Option<String>> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_usual = |name: &String| name.is_empty() || name == "default";
    if let Some(name) = set("DOCKER_CONTEXT") {
        let name = name.to_string_lossy().into_owned();
        return Ok(Some(name).filter(|it| !is_usual(it)));
    }
    let home = || Some(std::env::home_dir()?.join(".docker"));
    let folder = set("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    let text = match folder.map(|it| std::fs::read_to_string(it.join("config.json"))) {
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Some(read) => read?,
        None => return Ok(None),
    };
    let config: BTreeMap<String, Value> = serde_json::from_str(&text)?;
    // Go's decoder does not care for the case of letters.
    let mut words = config.iter();
    let found = words.find(|(key, _)| key.eq_ignore_ascii_case("currentContext"));
    let name = found.and_then(|(_, value)| Some(value.as_str()?.to_owned()));
    Ok(name.filter(|it| !is_usual(it)))
}
