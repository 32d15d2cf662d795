//! Container names: Docker's grammar, and the four names a deployment uses.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::is_full_id;

const LONGEST: usize = 128;

/// A name the engine accepts for a container: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`
/// (moby, daemon/names), here at most 128 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if is_full_id(text) {
            return Err("64 hex digits are a container's id and not a name".to_owned());
        }
        if (2..=LONGEST).contains(&text.len()) && starts_well && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "a name has 2 to {LONGEST} letters, digits, `_`, `.` or `-` and starts with a letter or digit"
        ))
    }
}

as_text!(Name);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The four container names of one app; which of them exist tells how far a promotion got.
#[derive(Clone, Debug)]
pub struct Names {
    /// The name that only ever belongs to a verified container, e.g. `web`.
    pub live: String,
    /// The new release beside the live one, `web-new`.
    pub candidate: String,
    /// The container being replaced, `web-old`.
    pub old: String,
    /// The final container before it is verified, `web-next`.
    pub next: String,
}

impl Names {
    /// The names derived from the live container's.
    pub fn of(container: &Name) -> Self {
        Self {
            live: container.to_string(),
            candidate: format!("{container}-new"),
            old: format!("{container}-old"),
            next: format!("{container}-next"),
        }
    }

    /// The live one first.
    pub fn all(&self) -> [&str; 4] {
        [&self.live, &self.candidate, &self.old, &self.next]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dockers_own_grammar_is_accepted() {
        for good in ["web", "w2", "5ca9", "a.b_c-d"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        let (long, id) = ("a".repeat(4096), "5".repeat(64));
        for bad in [
            "",
            id.as_str(),
            "w",
            "-web",
            "we b",
            "we\nb",
            "wéb",
            "a/b",
            "$(x)",
            "'w'",
            long.as_str(),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
