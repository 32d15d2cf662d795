//! The flags that say what healthy means.

use std::time::Duration;

use clap::Args;

use super::ProbeConfig;
use crate::model::probe::{Probe, StatusRange, host, path, plain};
use crate::time::duration;

/// The flags that say how to probe.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What healthy means")]
pub struct ProbeArgs {
    /// Path of the request [default: as start-candidate was told, else /health]
    #[arg(long, value_parser = path)]
    pub path: Option<String>,
    /// The container's port [default: as start-candidate was told, else the first published or only exposed one]
    /// [env: APP_PORT, beside APP_NAME]
    #[arg(long, env = "APP_PORT", hide_env = true, value_parser = clap::value_parser!(u16).range(1..))]
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
    #[arg(long, value_parser = host)]
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
    /// Let the image's own HEALTHCHECK decide: the engine's last word, or its command run now
    #[arg(long, conflicts_with_all = ["path", "https", "expect_status", "expect_body"])]
    pub docker_health: bool,
    /// Longest time for one attempt
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

    /// How to probe by `probe`.
    pub fn probe_config(&self, probe: Probe) -> ProbeConfig {
        ProbeConfig {
            probe,
            headers: self.header.clone(),
            timeout: self.timeout,
        }
    }
}

/// A URL that can be asked.
///
/// # Errors
/// A sentence that says what a URL looks like.
pub fn url(text: &str) -> Result<String, String> {
    let scheme = text.starts_with("http://") || text.starts_with("https://");
    let visible = text.len() <= 4096 && text.chars().all(|c| c.is_ascii_graphic());
    let uri = text.parse::<ureq::http::Uri>().ok();
    let host = uri.as_ref().and_then(ureq::http::Uri::host);
    if scheme && visible && host.is_some_and(|host| !host.is_empty()) {
        return Ok(text.to_owned());
    }
    Err("a URL starts with http:// or https:// and has only visible ASCII characters".to_owned())
}

/// Headers as lines of text, each `Name: value`.
///
/// # Errors
/// A sentence that says what a header looks like.
pub fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    text.lines().map(header).collect()
}

/// A request can carry nothing but visible ASCII.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("a header looks like `Name: value`")?;
    let token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let sent = |c: char| c == ' ' || c.is_ascii_graphic();
    if name.is_empty() || !name.chars().all(token) || !value.chars().all(sent) {
        return Err("a header looks like `Name: value`, in visible ASCII characters".to_owned());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}
