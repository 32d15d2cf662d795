//! The flags of promote.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use step::contract::args::{Common, StepArgs};
use step::contract::handoff::Handoff;
use step::contract::identity::Identity;
use step::engine::config::USUAL_GRACE;
use step::engine::container::Container;
use step::health::args::ProbeArgs;
use step::health::{ProbeConfig, RetryPolicy};
use step::model::name::Name;
use step::recipe::Recipe;
use step::time::duration;

use crate::log_file;
use crate::restart::RestartPolicy;

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Put the candidate of web in the live container's place",
        "promote --app web",
    ),
    (
        "Keep the old one for half a minute more, and roll back if the new one falls sick",
        "promote --app web --settle 30s",
    ),
    (
        "Rather fail than close the port for a moment",
        "promote --app web --bridge require",
    ),
    (
        "Let the candidate itself take over the name that a proxy on its network calls",
        "promote --app web --network web --alias web",
    ),
];

/// Put the verified candidate in the live container's place.
///
/// Makes the final container from the candidate's image id and recipe, stops the live one, starts
/// the new one on its ports and proves it. On any failure the old one serves again.
/// With --network and --alias no port is published: the candidate itself goes live, under the name a proxy calls.
/// Run again after a crash, it resumes from what it finds.
/// Prints one JSON line: app, container, container_id, image, image_id, digest, replaced, swap.
#[derive(Parser, Debug)]
#[command(name = "promote", version, after_help = step::exit_code::codes_help(40), after_long_help = step::exit_code::help_end(40, EXAMPLES))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) identity: Identity,
    #[command(flatten)]
    pub(crate) how: ProbeArgs,
    /// Lead new connections and datagrams to the candidate while the live container is replaced: if possible, always, or
    /// never
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub(crate) bridge: BridgeMode,
    /// The network on which a proxy calls the app by --alias: no port is published, and the candidate itself goes
    /// live as it was verified, with no second boot; it must be on that network
    #[arg(long, value_name = "NAME", requires = "alias", conflicts_with_all = ["bridge", "max_gap"])]
    pub(crate) network: Option<Name>,
    /// The name by which it is called there, which moves from the live container to the candidate
    #[arg(long, value_name = "NAME", requires = "network")]
    pub(crate) alias: Option<Name>,
    /// How long the proxy caches an address. For that long calls to the old container are redirected to the new one;
    /// without the right to redirect them, the old container is stopped that much later
    #[arg(long, value_name = "TIME", default_value = "2s", requires = "network", value_parser = duration)]
    pub(crate) linger: Duration,
    /// Fail (48) if the port did not answer for longer than this; the release is live all the same
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) max_gap: Option<Duration>,
    /// How long the final container may take to be healthy
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) within: Duration,
    /// How long the final container must stay healthy before the old one is given up; sick meanwhile, it is rolled back
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(crate) settle: Duration,
    /// How long to wait for requests in flight before a container is stopped
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// How long clients may stay connected to the candidate when the final container serves, such as those of WebSockets.
    /// promote does not wait for that; the candidate is stopped in the end
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, conflicts_with = "network")]
    pub(crate) keep_connections: Duration,
    /// How long a container may take to end after SIGTERM before it is killed [default: its own --stop-timeout, else 10s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) stop_timeout: Option<Duration>,
    /// Only finish or undo a promotion that was killed: where none is unfinished, nothing is touched (40)
    #[arg(long)]
    pub(crate) unfinished: bool,
    /// Append the replaced container's whole log to this file, before it is removed. A log may hold secrets: a new file
    /// is for its owner only (mode 0600). A log that cannot be kept is a warning; --engine-timeout bounds the time
    #[arg(long, value_name = "FILE")]
    pub(crate) keep_log: Option<PathBuf>,
    /// The restart policy of the final container once it is verified: no, always, unless-stopped, on-failure or
    /// on-failure:TRIES [default: the live container's, where that starts again by itself, else always]
    #[arg(long, value_name = "POLICY")]
    pub(crate) restart: Option<RestartPolicy>,
    /// With --swarm, how long each new task is watched; one that fails meanwhile has all of them rolled back, and the
    /// update is done only when the last one's time is over
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) monitor: Duration,
    /// With --swarm, how many tasks are replaced at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parallelism: u32,
    /// With --swarm, how many tasks there are to be [default: as many as there are; 1 at first]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) replicas: Option<u32>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// What the previous step handed on: the very container it probed, and how.
    #[arg(skip)]
    pub(crate) handoff: Handoff,
}

/// Whether a bridge is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BridgeMode {
    /// If this user may change packet rules; else the port is closed for a moment, and the report says why
    Auto,
    /// Or fail (44) before a healthy live container is stopped
    Require,
    /// Never
    Off,
}

/// The name by which an app is called on a network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alias<'a> {
    pub(crate) network: &'a str,
    pub(crate) name: &'a str,
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
        self.identity.is_given()
    }

    fn check(&self) -> Result<(), String> {
        let of_one_machine = self.network.is_some()
            || self.max_gap.is_some()
            || !self.settle.is_zero()
            || !self.keep_connections.is_zero()
            || self.keep_log.is_some()
            || self.bridge == BridgeMode::Require;
        if self.common.swarm && of_one_machine {
            return Err("--network, --alias, --bridge, --max-gap, --settle, --keep-connections and --keep-log do not go with --swarm (--monitor is its --settle)".to_owned());
        }
        if self.bridge == BridgeMode::Off && !self.keep_connections.is_zero() {
            return Err("without a bridge nobody is connected to the candidate: --keep-connections does not go with --bridge off".to_owned());
        }
        if let Some(path) = &self.keep_log {
            log_file::open(path)?;
        }
        self.identity.known().map(drop)
    }
}

impl Args {
    /// How long the container may take to end after SIGTERM.
    pub(crate) fn grace(&self, container: &Container) -> Duration {
        self.stop_timeout
            .unwrap_or_else(|| container.config.grace())
    }

    /// The same of one that is not worth waiting for without end.
    pub(crate) fn bounded_grace(&self, container: &Container) -> Duration {
        self.stop_timeout
            .unwrap_or_else(|| container.config.bounded_grace())
    }

    /// The same of a container of which nothing is known.
    pub(crate) fn usual_grace(&self) -> Duration {
        self.stop_timeout.unwrap_or(USUAL_GRACE)
    }

    /// How to probe: flags first, then what the previous step did, then the container's recipe.
    pub(crate) fn probe_config(&self, recipe: Option<&Recipe>) -> ProbeConfig {
        let handed = self.handoff.probe.clone().unwrap_or_default();
        let carried = recipe
            .map(|recipe| recipe.probe.clone())
            .unwrap_or_default();
        self.how
            .probe_config(self.how.probe().or(&handed).or(&carried))
    }

    /// How clients call the app, where it has no port of the host.
    pub(crate) fn moved_alias(&self) -> Option<Alias<'_>> {
        Some(Alias {
            network: self.network.as_ref()?.as_str(),
            name: self.alias.as_ref()?.as_str(),
        })
    }

    /// When the engine is to start what takes the place of `live` again by itself.
    pub(crate) fn restart_after(&self, live: Option<&Container>) -> RestartPolicy {
        RestartPolicy::of(self.restart, live)
    }

    pub(crate) fn patience(&self) -> RetryPolicy {
        RetryPolicy::of(self.within)
    }
}
