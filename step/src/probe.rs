//! What "healthy" means for an app: the flags, and the form they take in labels and reports.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Looking, duration};

/// How health is looked at; what is absent is the default (GET /health answers 200 to 299).
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
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) if (100..=high).contains(&low) && high <= 599 => {
                Ok(Self(low, high))
            }
            _ => Err("a status is 100 to 599, a range 200-299".to_owned()),
        }
    }
}

impl TryFrom<String> for StatusRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<StatusRange> for String {
    fn from(range: StatusRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// The flags that say how to look.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What healthy means")]
pub struct ProbeArgs {
    /// Path of the request [default: as start-candidate was told, else /health]
    #[arg(long, value_parser = path)]
    pub path: Option<String>,
    /// The container's port [default: as start-candidate was told, else the first published or only exposed one]
    #[arg(long, env = "APP_PORT", hide_env_values = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Statuses that count as healthy, such as 200 or 200-299 [default: 200-299]
    #[arg(long, value_name = "RANGE")]
    pub expect_status: Option<StatusRange>,
    /// Text that the body must contain (within its first 64 KiB)
    #[arg(long, value_name = "TEXT")]
    pub expect_body: Option<String>,
    /// A request header; may be repeated. Never shown in reports
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    pub header: Vec<(String, String)>,
    /// Host header, for apps that check it
    #[arg(long, value_parser = plain)]
    pub host: Option<String>,
    /// Ask over TLS
    #[arg(long)]
    pub https: bool,
    /// Accept any certificate
    #[arg(long, requires = "https")]
    pub insecure: bool,
    /// An accepted connection that stays open is enough
    #[arg(long, conflicts_with_all = ["path", "https", "expect_status", "expect_body", "exec", "docker_health"])]
    pub tcp: bool,
    /// Run CMD in the container instead: words split at spaces, no shell; healthy when it exits 0
    #[arg(long, value_name = "CMD", value_parser = plain, conflicts_with_all = ["path", "https", "expect_status", "expect_body", "docker_health"])]
    pub exec: Option<String>,
    /// Let the image's own HEALTHCHECK decide
    #[arg(long, conflicts_with_all = ["path", "https", "expect_status", "expect_body"])]
    pub docker_health: bool,
    /// Longest time for one look
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
}

impl ProbeArgs {
    /// What the flags say, as a probe.
    pub fn probe(&self) -> Probe {
        let exec = self.exec.as_deref().unwrap_or_default();
        Probe {
            port: self.port,
            path: self.path.clone(),
            host: self.host.clone(),
            https: self.https,
            insecure: self.insecure,
            expect_status: self.expect_status,
            expect_body: self.expect_body.clone(),
            tcp: self.tcp,
            exec: exec.split_whitespace().map(str::to_owned).collect(),
            docker_health: self.docker_health,
        }
    }
}

impl ProbeArgs {
    /// How to look for `probe`.
    pub fn looking(&self, probe: Probe) -> Looking {
        Looking {
            probe,
            headers: self.header.clone(),
            timeout: self.timeout,
        }
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

/// One line of text that is safe in a header.
fn plain(text: &str) -> Result<String, String> {
    if !text.trim().is_empty()
        && text.len() <= 2048
        && !text.starts_with('-')
        && !text.chars().any(char::is_control)
    {
        return Ok(text.to_owned());
    }
    Err("it must be one line of text that does not start with `-`".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("a header looks like `Name: value`")?;
    let token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(token) || value.chars().any(char::is_control) {
        return Err("a header looks like `Name: value`".to_owned());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
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
        for bad in ["", "99", "600", "300-200", "a-b"] {
            assert!(bad.parse::<StatusRange>().is_err(), "{bad}");
        }
    }
}
