//! What a container was created with: its program, its health check, its volumes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Number;

use super::json::{nullable, number, tcp_port, words};
use crate::model::id::is_full_id;

/// As `docker stop` gives a container that says nothing (Docker's reference of `docker stop`).
pub const USUAL_GRACE: Duration = Duration::from_secs(10);
/// Of a container that is never killed, however long it takes to end: its stop timeout is below zero.
pub const WITHOUT_END: Duration = Duration::MAX;
/// No engine takes more seconds than fit in its number of them.
const MOST_SECONDS: u64 = i32::MAX as u64;

/// What a container was created with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// The image as it was named at creation.
    pub image: String,
    /// `NAME=value` pairs, the image's included.
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// Labels, the image's included.
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    exposed_ports: BTreeMap<String, serde_json::Value>,
    pub(super) hostname: String,
    /// The program's arguments.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// The program.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Vec<String>,
    /// The user it runs as.
    pub user: String,
    /// The folder it runs in.
    pub working_dir: String,
    #[serde(deserialize_with = "nullable")]
    healthcheck: Healthcheck,
    #[serde(deserialize_with = "nullable")]
    shell: Vec<String>,
    #[serde(deserialize_with = "number")]
    stop_timeout: Option<Number>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Healthcheck {
    #[serde(deserialize_with = "nullable")]
    test: Vec<String>,
}

impl Config {
    /// The words of its HEALTHCHECK as a program to run in the container, or `None` without one.
    pub fn healthcheck(&self) -> Option<Vec<String>> {
        const SHELL: [&str; 2] = ["/bin/sh", "-c"];
        let (kind, words) = self.healthcheck.test.split_first()?;
        match kind.as_str() {
            "CMD" => Some(words.to_vec()),
            "CMD-SHELL" if self.shell.is_empty() => {
                Some([&SHELL.map(str::to_owned)[..], words].concat())
            }
            "CMD-SHELL" => Some([&self.shell, words].concat()),
            _ => None,
        }
    }

    /// The seconds that it may take to end after SIGTERM, as it was created with (`--stop-timeout`).
    pub fn stop_timeout(&self) -> Option<&Number> {
        self.stop_timeout.as_ref()
    }

    /// How long it may take to end after SIGTERM.
    pub fn grace(&self) -> Duration {
        let Some(seconds) = &self.stop_timeout else {
            return USUAL_GRACE;
        };
        match seconds.as_u64() {
            Some(seconds) => Duration::from_secs(seconds.min(MOST_SECONDS)),
            None => WITHOUT_END,
        }
    }

    /// The same of one that is not worth waiting for without end.
    pub fn bounded_grace(&self) -> Duration {
        match self.grace() {
            WITHOUT_END => USUAL_GRACE,
            grace => grace,
        }
    }

    /// The TCP ports the image or the options expose, ascending.
    pub fn exposed(&self) -> Vec<u16> {
        let keys = self.exposed_ports.keys();
        let mut ports: Vec<u16> = keys.filter_map(|key| tcp_port(key)).collect();
        ports.sort_unstable();
        ports
    }
}

/// A volume or bind of a container.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// `volume`, `bind`, `tmpfs`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The volume's name.
    pub name: String,
    /// The path on the host.
    pub source: String,
    /// The path in the container.
    pub destination: String,
    /// Whether the container may write to it.
    #[serde(rename = "RW")]
    pub writable: bool,
}

impl Mount {
    /// A volume that the engine named itself, with 64 hex digits: no other container means it.
    pub fn is_anonymous(&self) -> bool {
        self.kind == "volume" && is_full_id(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_seconds_is_read_and_below_zero_there_is_no_end() {
        let grace = |written: &str| {
            let config = format!(r#"{{"StopTimeout": {written}}}"#);
            serde_json::from_str::<Config>(&config).unwrap().grace()
        };
        assert_eq!(grace("7"), Duration::from_secs(7));
        assert_eq!(grace("0"), Duration::ZERO);
        assert_eq!(grace("-1"), WITHOUT_END);
        let config = r#"{"StopTimeout": -1}"#;
        let config: Config = serde_json::from_str(config).unwrap();
        assert_eq!(config.bounded_grace(), USUAL_GRACE);
        for none in ["null", "{}", r#""x""#] {
            assert_eq!(grace(none), USUAL_GRACE, "{none}");
        }
        assert_eq!(
            grace("18446744073709551615"),
            Duration::from_secs(MOST_SECONDS)
        );
    }
}
