//! What every step's failures have in common.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::engine::error::EngineError;
use crate::exit_code::{Code, Verdict};

/// Every way a step can fail.
pub trait Failure: std::error::Error {
    /// What a failed report says besides its error.
    type Evidence: Serialize + JsonSchema;

    /// Exit code and hint, by one exhaustive match.
    fn verdict(&self) -> Verdict;

    /// The evidence, gathered when it happened.
    fn evidence(self) -> Self::Evidence;
}

/// No evidence beyond the error itself.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct NoEvidence {}

/// What can fail in every step.
#[derive(Debug, Error)]
pub enum CommonFailure {
    /// The engine did not do what it was asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The arguments do not go together.
    #[error("{0}")]
    Usage(String),
    /// Whether a promotion runs cannot be known.
    #[error("the lock file could not be opened: {0}")]
    NoLock(io::Error),
}

impl CommonFailure {
    /// Exit code and hint.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Engine(error) => error.verdict(),
            Self::Usage(_) => Verdict::new(Code::Usage, "see --help"),
            Self::NoLock(_) => Verdict::new(
                Code::Unexpected,
                "check the rights on /run/lock, or on the temporary folder",
            ),
        }
    }
}
