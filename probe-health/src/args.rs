//! The flags of probe-health.

use std::time::Duration;

use clap::Parser;
use step::contract::args::{Common, StepArgs};
use step::contract::handoff::Handoff;
use step::contract::identity::Identity;
use step::health::RetryPolicy;
use step::health::args::ProbeArgs;
use step::model::name::{Name, Names};
use step::model::probe::Probe;
use step::time::duration;

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Wait until the candidate of web is healthy",
        "probe-health --app web --path /ready --within 60s",
    ),
    (
        "Look at what is live, for a monitor",
        "probe-health --app web --live --attempts 1 --quiet",
    ),
];

/// Wait until a container answers healthily, or say why it does not.
///
/// Looks at the app's candidate, or with --live at the live container, or at any container or URL.
/// It stops as soon as the container exits, restarts or is killed.
/// Prints one JSON line: app, container, candidate, candidate_id, target, attempts, last_attempts.
#[derive(Parser, Debug)]
#[command(name = "probe-health", version, after_help = step::exit_code::codes_help(30), after_long_help = step::exit_code::help_end(30, EXAMPLES))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) identity: Identity,
    /// Probe the live container instead of the candidate
    #[arg(long, conflicts_with_all = ["candidate", "url"])]
    pub(crate) live: bool,
    /// Probe the container of this name
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub(crate) candidate: Option<Name>,
    /// Probe this URL; nothing is watched behind it
    #[arg(long, value_parser = step::health::args::url, conflicts_with_all = ["path", "https", "tcp", "exec", "docker_health"])]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) how: ProbeArgs,
    /// Read further headers from stdin, each on a line of its own, as this program does when it asks for another one
    #[arg(long, hide = true, conflicts_with = "from")]
    pub(crate) headers_from_stdin: bool,
    /// Give up after this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) within: Duration,
    /// Longest pause between two attempts; the first ones follow each other faster [env: RETRY_INTERVAL, beside APP_NAME]
    #[arg(long, value_name = "TIME", env = "RETRY_INTERVAL", hide_env = true, default_value = "1s", value_parser = duration)]
    pub(crate) interval: Duration,
    /// Look exactly this often, --interval apart, instead of --within [env: MAX_RETRIES, beside APP_NAME]
    #[arg(long, value_name = "N", env = "MAX_RETRIES", hide_env = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempts: Option<u32>,
    /// How many attempts in a row must be good
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) successes: u32,
    #[command(flatten)]
    pub(crate) common: Common,
    /// What the previous step handed on: the very container it started.
    #[arg(skip)]
    pub(crate) handoff: Handoff,
}

impl StepArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }

    fn fill(&mut self, handoff: &Handoff) {
        self.identity.fill(handoff);
        self.handoff = handoff.clone();
    }

    fn is_named(&self) -> bool {
        self.identity.is_given() || self.candidate.is_some() || self.url.is_some()
    }

    fn check(&self) -> Result<(), String> {
        if self.url.is_some() || self.candidate.is_some() {
            return Ok(());
        }
        self.identity.known().map(drop)
    }
}

impl Args {
    pub(crate) fn patience(&self) -> RetryPolicy {
        RetryPolicy {
            within: self.within,
            interval: self.interval,
            attempts: self.attempts,
            successes: self.successes,
        }
    }

    /// Flags first, then what the previous step handed on.
    pub(crate) fn probe(&self) -> Probe {
        self.how
            .probe()
            .or(&self.handoff.probe.clone().unwrap_or_default())
    }

    /// What the next step is told of what is probed, whatever its image: its name, and its full id.
    pub(crate) fn handed_on(&self, name: &str, id: &str) -> Handoff {
        let candidate = Some(name).filter(|_| !self.live);
        Handoff {
            app: self.identity.app.clone(),
            container: self.identity.live().cloned(),
            candidate: candidate.and_then(|name| name.parse().ok()),
            candidate_id: candidate.map(|_| id.to_owned()),
            ..Handoff::default()
        }
    }

    /// The name of what is probed.
    pub(crate) fn chosen(&self, names: Names) -> String {
        if self.live {
            names.live
        } else {
            names.candidate
        }
    }
}
