//! The ways to put a release live, each on the same stand.

use std::process::Command;
use std::time::Duration;

use tests::process::run_within;
use tests::stage;

/// A way to deploy.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) title: &'static str,
    pub(crate) ours: bool,
    pub(super) how: How,
}

/// What is run for it.
#[derive(Clone, Copy)]
pub(super) enum How {
    Plain,
    /// The same, straight to the engine's socket.
    Floor,
    /// What the steps ask of the engine, straight to its socket.
    FloorOfSteps,
    Compose,
    /// With this value of `--bridge`.
    Steps(&'static str),
}

/// What teams start from.
pub(crate) const PLAIN: Way = Way {
    title: "docker stop, docker run",
    ours: false,
    how: How::Plain,
};

/// The engine's own work in [`PLAIN`].
pub(crate) const FLOOR: Way = Way {
    title: "the plain calls by the engine's socket",
    ours: false,
    how: How::Floor,
};

/// The engine's own work in [`OURS`].
pub(crate) const FLOOR_OF_STEPS: Way = Way {
    title: "the steps' calls by the engine's socket",
    ours: false,
    how: How::FloorOfSteps,
};

/// All five steps.
pub(crate) const OURS: Way = Way {
    title: "deploy-steps",
    ours: true,
    how: How::Steps("require"),
};

/// Those that clients are asked about.
pub(crate) const WAYS: [Way; 4] = [
    PLAIN,
    Way {
        title: "docker-compose up",
        ours: false,
        how: How::Compose,
    },
    Way {
        title: "deploy-steps --bridge off",
        ours: true,
        how: How::Steps("off"),
    },
    OURS,
];

/// Those that this machine can do; the reasons against the others go to `left_out`.
pub(crate) fn possible(left_out: &mut Vec<String>) -> Vec<Way> {
    let mut ways = WAYS.to_vec();
    if compose().is_none() {
        left_out.push("docker-compose is not installed (--install does it)".to_owned());
        ways.retain(|way| !matches!(way.how, How::Compose));
    }
    ways
}

/// The command of docker-compose, whichever generation this machine has.
pub(super) fn compose() -> Option<Command> {
    if let Some(program) = stage::find("docker-compose") {
        return Some(Command::new(program));
    }
    let mut plugin = Command::new("docker");
    plugin.args(["compose", "version"]);
    let answers =
        run_within(&mut plugin, None, Duration::from_secs(20)).is_ok_and(|run| run.code == 0);
    answers.then(|| {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    })
}
