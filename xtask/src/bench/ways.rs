//! The ways to put a release live, each on the same stand.

use anyhow::ensure;
use stage::cargo;

use super::stand::Stand;
use super::{floor, peers};
use crate::flags::{Deploy, Pipeline};
use crate::swap::Span;

/// Puts a version live and says when each part of it ran.
type Put = fn(&Stand<'_>, &str) -> anyhow::Result<Vec<Span>>;

/// A way to deploy.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) title: &'static str,
    /// The way under test where that leaves anything behind for the second time.
    first: Put,
    second: Put,
}

impl Way {
    /// Puts v1 live.
    pub(super) fn first(&self, stand: &Stand<'_>) -> anyhow::Result<()> {
        (self.first)(stand, "v1")?;
        stand.answers()
    }

    /// Replaces v1 by v2.
    pub(super) fn second(&self, stand: &Stand<'_>) -> anyhow::Result<Vec<Span>> {
        (self.second)(stand, "v2")
    }
}

/// What teams start from.
pub(super) const PLAIN: Way = Way {
    title: "docker stop, docker run",
    first: peers::run,
    second: peers::plain,
};

/// The engine's own work in [`PLAIN`].
pub(super) const FLOOR: Way = Way {
    title: "the plain calls by the engine's socket",
    first: peers::run,
    second: floor::plain,
};

/// The engine's own work in [`OURS`].
pub(super) const FLOOR_OF_STEPS: Way = Way {
    title: "the steps' calls by the engine's socket",
    first: peers::run,
    second: floor::steps,
};

const COMPOSE: Way = Way {
    title: "docker-compose up",
    first: peers::compose,
    second: peers::compose,
};

const BRIDGE_OFF: Way = Way {
    title: "deploy-steps --bridge off",
    first: |stand, version| steps(stand, version, "off"),
    second: |stand, version| steps(stand, version, "off"),
};

/// All five steps.
pub(super) const OURS: Way = Way {
    title: "deploy-steps",
    first: |stand, version| steps(stand, version, "require"),
    second: |stand, version| steps(stand, version, "require"),
};

/// Those that clients are asked about and this machine can do; the reasons against the others go to `left_out`.
pub(super) fn possible(left_out: &mut Vec<String>) -> Vec<Way> {
    let compose = peers::docker_compose().map(|_| COMPOSE);
    if compose.is_none() {
        left_out.push("docker-compose is not installed (--install does it)".to_owned());
    }
    let all = [Some(PLAIN), compose, Some(BRIDGE_OFF), Some(OURS)];
    all.into_iter().flatten().collect()
}

fn steps(stand: &Stand<'_>, version: &str, bridge: &str) -> anyhow::Result<Vec<Span>> {
    let deploy = Deploy {
        image: stand.image(version),
        pipeline: Pipeline {
            publish: vec![stand.ports()],
            bridge: Some(bridge.to_owned()),
            steps: Some(cargo::released_steps()?.to_owned()),
            ..Pipeline::of_trial(stand.name())
        },
        rest: Vec::new(),
    };
    let report = deploy.report(stand.sh)?;
    ensure!(report.ok, "a deployment failed: {report:?}");
    Ok(report.spans)
}
