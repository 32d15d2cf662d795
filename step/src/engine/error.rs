//! Why the engine did not do what it was asked.

use std::time::Duration;

use thiserror::Error;

use crate::exit_code::{Code, Verdict};
use crate::host::lock::LockError;

/// Why the engine did not do what it was asked.
#[derive(Debug, Error)]
pub enum EngineError {
    /// No CLI on the path, or not the one that was named.
    #[error("no docker command line tool: {0}")]
    NoCli(String),
    /// The engine does not answer, or not to this user.
    #[error("the engine does not answer: {0}")]
    Unreachable(String),
    /// With `--swarm`, an engine that manages no swarm.
    #[error("this engine manages no swarm: {0}")]
    NoManager(String),
    /// A call took longer than its deadline; what it did is unknown.
    #[error("`{call}` took longer than {after:?}")]
    TimedOut {
        /// The words of the call, without values.
        call: String,
        /// The deadline.
        after: Duration,
    },
    /// The call was given up because the step was told to stop.
    #[error("`{call}` was interrupted")]
    Interrupted {
        /// The words of the call, without values.
        call: String,
    },
    /// More words and values than the kernel lets a program be started with.
    #[error(
        "`{call}` was not run: its words and values together are longer than this machine allows"
    )]
    TooLong {
        /// The words of the call, without values.
        call: String,
    },
    /// Whether a promotion runs cannot be known.
    #[error("{0}")]
    NoLock(LockError),
    /// Any other failure, with what the CLI said, made printable.
    #[error("`{call}` failed: {message}")]
    Failed {
        /// The words of the call, without values.
        call: String,
        /// What the CLI wrote to its stderr.
        message: String,
    },
}

impl EngineError {
    /// Exit code and hint.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::NoCli(_) => Verdict::new(
                Code::NoDocker,
                "install docker (or podman), or name it with --docker PATH",
            ),
            Self::Unreachable(_) => Verdict::new(
                Code::EngineUnreachable,
                "check that the engine runs (`docker version`), that this user may use it (group docker, or sudo), and DOCKER_HOST",
            ),
            Self::NoManager(_) => Verdict::new(
                Code::NoManager,
                "run the steps on a manager of the swarm (`docker node ls` answers there; `docker swarm init` makes one), or leave --swarm out",
            ),
            Self::TimedOut { .. } => Verdict::new(
                Code::EngineTimeout,
                "look at the engine's load and log, then run the same command again; it resumes from what it finds",
            ),
            Self::Interrupted { .. } => {
                Verdict::new(Code::Interrupted, "run the same command again")
            }
            Self::TooLong { .. } => Verdict::new(
                Code::Unexpected,
                "give fewer or shorter values; what is long is better mounted as a file",
            ),
            Self::NoLock(error) => Verdict::new(Code::Unexpected, error.hint.clone()),
            Self::Failed { .. } => Verdict::new(
                Code::Unexpected,
                "this failure has no class of its own; the message is the engine's",
            ),
        }
    }
}
