//! The restart policy of the container that goes live.

use std::fmt;

use clap::ValueEnum;
use step::engine::Engine;
use step::engine::error::EngineError;

/// When the engine starts a container again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RestartPolicy {
    No,
    Always,
    UnlessStopped,
    OnFailure,
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
            Self::OnFailure => "on-failure",
        })
    }
}

impl RestartPolicy {
    /// From now on the engine starts the container again, as `--restart` says.
    pub(crate) fn set(self, engine: &Engine, id: &str) -> Result<(), EngineError> {
        if self == Self::No {
            return Ok(());
        }
        let policy = self.to_string();
        engine.set_restart(id, &policy).or_else(|error| {
            // One that could not get it later was made with it.
            let found = engine.container(id)?;
            let has = found.is_some_and(|it| it.host_config.restart_policy.name == policy);
            has.then_some(()).ok_or(error)
        })
    }
}
