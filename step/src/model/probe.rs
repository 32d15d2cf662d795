//! What "healthy" means for an app: the flags, and the form they take in labels and reports.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an app is probed; what is absent is the default (GET /health answers 200 to 299).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Probe {
    /// The container's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The Host header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether it is asked over TLS.
    #[serde(skip_serializing_if = "is_false")]
    pub https: bool,
    /// Whether any certificate is accepted.
    #[serde(skip_serializing_if = "is_false")]
    pub insecure: bool,
    /// The statuses that count as healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<StatusRange>,
    /// What the body must contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_body: Option<String>,
    /// An accepted connection is enough.
    #[serde(skip_serializing_if = "is_false")]
    pub tcp: bool,
    /// A program run in the container, healthy when it ends with 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// The image's own HEALTHCHECK decides.
    #[serde(skip_serializing_if = "is_false")]
    pub docker_health: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Probe {
    /// The path that is asked for.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/health")
    }

    /// Whether every part is what its flag would have taken, where it comes from a report or a label.
    ///
    /// # Errors
    /// A sentence that names the part.
    pub fn check(&self) -> Result<(), String> {
        let words = self.exec.join(" ");
        let is_exec = words.split_whitespace().eq(&self.exec) && plain(&words).is_ok();
        if self.port == Some(0) {
            return Err("the probe's port is 0".to_owned());
        }
        if !self.exec.is_empty() && !is_exec {
            return Err("the probe's exec is not a list of plain words".to_owned());
        }
        self.path.as_deref().map(path).transpose()?;
        self.host.as_deref().map(host).transpose()?;
        Ok(())
    }

    /// What is set here, completed by what is set in `other`. Of several kinds of looking
    /// (HTTP, tcp, exec, docker) one chosen here wins.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let http = self.path.is_some()
            || self.expect_status.is_some()
            || self.expect_body.is_some()
            || self.https;
        let chosen = http || self.tcp || self.docker_health || !self.exec.is_empty();
        let kind = if chosen { &self } else { other };
        Self {
            tcp: kind.tcp,
            docker_health: kind.docker_health,
            exec: kind.exec.clone(),
            https: self.https || other.https,
            insecure: self.insecure || other.insecure,
            port: self.port.or(other.port),
            path: self.path.clone().or_else(|| other.path.clone()),
            host: self.host.clone().or_else(|| other.host.clone()),
            expect_status: self.expect_status.or(other.expect_status),
            expect_body: self
                .expect_body
                .clone()
                .or_else(|| other.expect_body.clone()),
        }
    }
}

/// An inclusive range of HTTP statuses, `200-299` or `200`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct StatusRange(u16, u16);

impl StatusRange {
    /// Whether `status` is in the range.
    pub fn contains(self, status: u16) -> bool {
        (self.0..=self.1).contains(&status)
    }
}

impl Default for StatusRange {
    fn default() -> Self {
        Self(200, 299)
    }
}

impl FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let digits = text.chars().all(|c| c.is_ascii_digit() || c == '-');
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) if digits && (100..=high).contains(&low) && high <= 599 => {
                Ok(Self(low, high))
            }
            _ => Err("a status is 100 to 599, a range 200-299".to_owned()),
        }
    }
}

as_text!(StatusRange);

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// A request path: starts with `/`, no spaces, visible ASCII.
///
/// # Errors
/// A sentence that says so.
pub fn path(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_graphic() && !"\"<>`".contains(c);
    if text.starts_with('/') && text.chars().all(allowed) && text.len() <= 2048 {
        return Ok(text.to_owned());
    }
    Err("a path starts with / and has only characters that a URL may have, at most 2048".to_owned())
}

/// What may stand in a Host header.
///
/// # Errors
/// A sentence that says so.
pub fn host(text: &str) -> Result<String, String> {
    let visible = text.chars().all(|c| c.is_ascii_graphic());
    if !text.is_empty() && visible && !text.starts_with('-') && text.len() <= 255 {
        return Ok(text.to_owned());
    }
    Err("a host has only visible ASCII characters, at most 255".to_owned())
}

/// Words that are safe on a command line.
pub(crate) fn plain(text: &str) -> Result<String, String> {
    if !text.trim().is_empty()
        && text.len() <= 2048
        && !text.trim_start().starts_with('-')
        && !text.chars().any(char::is_control)
    {
        return Ok(text.to_owned());
    }
    Err("it must be one line of text that does not start with `-`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_recipe_and_the_kind_is_one() {
        let recipe = Probe {
            path: Some("/up".to_owned()),
            port: Some(80),
            ..Probe::default()
        };
        let flags = Probe {
            tcp: true,
            ..Probe::default()
        };
        let both = flags.or(&recipe);
        assert!(both.tcp && both.port == Some(80));
        let http = Probe {
            path: Some("/x".to_owned()),
            ..Probe::default()
        };
        assert!(!http.or(&both).tcp);
    }

    #[test]
    fn status_ranges_are_read_and_bounded() {
        assert!("200".parse::<StatusRange>().unwrap().contains(200));
        assert!(!"200-299".parse::<StatusRange>().unwrap().contains(302));
        for bad in ["", "99", "600", "+200", "300-200", "a-b"] {
            assert!(bad.parse::<StatusRange>().is_err(), "{bad}");
        }
    }
}
