//! The flags of start-candidate.

use std::convert::Infallible;
use std::str::FromStr;

use clap::Parser;
use step::contract::args::{Common, StepArgs};
use step::contract::handoff::Handoff;
use step::contract::identity::Identity;
use step::engine::config::Mount;
use step::model::image_ref::ImageRef;
use step::model::port::Publish;
use step::model::probe::Probe;

const EXAMPLES: &[(&str, &str)] = &[
    (
        "Start web-new beside the live container; once promoted it has the host's port 80",
        "start-candidate --app web --image ghcr.io/acme/web:v2 --publish 80:8080 -- --memory 512m",
    ),
    (
        "Start a release as the live container is, whoever made that, with one variable changed",
        "start-candidate --app web --image ghcr.io/acme/web:v2 --like-live -- -e COLOR=green",
    ),
    (
        "Start the release before, with its own ports and run options",
        "start-candidate --app web --previous --replace",
    ),
];

/// Start a new container beside the live one.
///
/// The candidate publishes nothing but ephemeral loopback ports and is not restarted when it
/// ends. It carries its recipe in labels, so that promote needs only the app's name. Aliases and
/// fixed addresses among the run options wait until it is promoted, as do the live container's own.
/// Prints one JSON line: app, container, candidate, candidate_id, image, image_id, digest, publish.
#[derive(Parser, Debug)]
#[command(
    name = "start-candidate",
    version,
    override_usage = "start-candidate --app APP --image IMAGE [OPTIONS] [-- RUN OPTIONS [-- COMMAND…]]",
    after_help = step::exit_code::codes_help(20), after_long_help = step::exit_code::help_end(20, EXAMPLES)
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) identity: Identity,
    /// The image, which must be present on the engine (pull-image)
    #[arg(long, conflicts_with = "previous")]
    pub(crate) image: Option<ImageRef>,
    /// Take the image, and what is not given otherwise, from the release that the live container replaced
    #[arg(long)]
    pub(crate) previous: bool,
    /// Take the run options and the command that are not given from the live container, whoever made it
    #[arg(long, conflicts_with = "previous")]
    pub(crate) like_live: bool,
    /// A port to publish once promoted, `[IP:]HOST:CONTAINER[/udp]`; may be repeated [default: what the live container
    /// publishes]
    #[arg(long, short = 'p', value_name = "PORTS")]
    pub(crate) publish: Vec<Publish>,
    /// Path that probe-health and promote ask for [default: /health]
    #[arg(long, value_name = "PATH", value_parser = step::model::probe::path)]
    pub(crate) health_path: Option<String>,
    /// Container port that they ask [default: the first published or only exposed one] [env: APP_PORT, beside APP_NAME]
    #[arg(long, value_name = "PORT", env = "APP_PORT", hide_env = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) health_port: Option<u16>,
    /// Host header that they send
    #[arg(long, value_name = "HOST", value_parser = step::model::probe::host)]
    pub(crate) health_host: Option<String>,
    /// Remove a stale candidate first
    #[arg(long)]
    pub(crate) replace: bool,
    /// Let the candidate write to what the live container also mounts: to all, or to these volumes, or places on the host
    /// or in the container
    #[arg(long, value_name = "PLACE,…", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) allow_shared_volumes: Option<Shared>,
    /// Refuse this label or variable, too, by which a proxy finds containers, or all that begin with NAME before a `*`; may
    /// be repeated [known: those of traefik, nginx-proxy, caddy-docker-proxy, easyhaproxy and swag]
    #[arg(long, value_name = "NAME")]
    pub(crate) proxy_follows: Vec<String>,
    /// The number of this deployment, such as the CI run's: refused (26) when a greater one is live or its candidate
    /// is there, and recorded; without a number, here or there, nothing is refused [with --previous: the live one's]
    #[arg(
        long,
        value_name = "N",
        env = "DEPLOY_STEPS_DEPLOY_ID",
        hide_env_values = true
    )]
    pub(crate) deploy_id: Option<u64>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Options as for `docker run` (with --swarm, `docker service create`), then optionally `--` and the command
    #[arg(last = true, value_name = "RUN OPTIONS")]
    pub(crate) rest: Vec<String>,
    /// What the previous step handed on: the very image it pulled.
    #[arg(skip)]
    pub(crate) image_id: Option<ImageRef>,
    /// And its digest.
    #[arg(skip)]
    pub(crate) digest: Option<String>,
    /// And the platform that was asked for.
    #[arg(skip)]
    pub(crate) platform: Option<String>,
}

/// Mounts that both releases may write to; none named is all.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Vec<String>);

impl FromStr for Shared {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let places = text.split(',').filter(|place| !place.is_empty());
        Ok(Self(places.map(str::to_owned).collect()))
    }
}

impl Shared {
    /// Whether a mount is among them.
    pub(crate) fn covers(&self, mount: &Mount) -> bool {
        let ways = [&mount.name, &mount.source, &mount.destination];
        self.0.is_empty() || self.0.iter().any(|place| ways.contains(&place))
    }
}

impl StepArgs for Args {
    fn common(&self) -> &Common {
        &self.common
    }

    fn fill(&mut self, handoff: &Handoff) {
        self.identity.fill(handoff);
        if self.image.is_none() && !self.previous {
            self.image = handoff.image.clone();
            self.image_id = handoff.image_id.clone();
            self.digest = handoff.digest.clone();
            self.platform = handoff.platform.clone();
        }
    }

    fn is_named(&self) -> bool {
        self.identity.is_given()
    }

    fn check(&self) -> Result<(), String> {
        if self.image.is_none() && !self.previous {
            return Err("--image IMAGE is needed (or --previous, or --from)".to_owned());
        }
        if self.like_live && self.common.swarm {
            return Err("--like-live does not go with --swarm, where tasks are made like the live service's".to_owned());
        }
        let mut pairs = self.publish.iter().enumerate();
        let twice = pairs.find(|(at, one)| self.publish[..*at].iter().any(|it| it.collides(one)));
        if let Some((_, one)) = twice {
            return Err(format!(
                "the host's port {} is given to two ports by --publish",
                one.host
            ));
        }
        self.identity.known().map(drop)
    }
}

impl Args {
    /// Run options and command, parted by the first `--` among them. An image for another platform takes an option.
    pub(crate) fn options_and_command(&self) -> (Vec<String>, Vec<String>) {
        let mut parts = self.rest.splitn(2, |word| word == "--");
        let mut next = || parts.next().unwrap_or_default().to_vec();
        let (mut options, command) = (next(), next());
        let handed = self.platform.iter().filter(|_| !self.common.swarm);
        options.splice(..0, handed.map(|platform| format!("--platform={platform}")));
        (options, command)
    }

    /// Whether there are run options of the caller's own.
    pub(crate) fn has_options(&self) -> bool {
        self.rest.first().is_some_and(|word| word != "--")
    }

    /// The digest under which this image came, as far as it was said.
    pub(crate) fn digest_of(&self, image: &ImageRef) -> Option<String> {
        let named = image.digest().map(str::to_owned);
        self.digest.clone().or(named)
    }

    /// How the app is to be probed, as far as it was said.
    pub(crate) fn probe(&self) -> Probe {
        Probe {
            path: self.health_path.clone(),
            port: self.health_port,
            host: self.health_host.clone(),
            ..Probe::default()
        }
    }
}
