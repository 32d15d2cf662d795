//! What every step's failures have in common.

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::engine::error::EngineError;
use crate::exit_code::{Code, Verdict};
use crate::ownership::NotOurs;
use crate::ownership::keeper::Kept;
use crate::ownership::read::Unknown;

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
    /// A name is taken by somebody else's container or service.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// Something else keeps the live container.
    #[error(transparent)]
    Kept(#[from] Kept),
}

impl CommonFailure {
    /// Exit code and hint.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Engine(error) => error.verdict(),
            Self::Usage(_) => Verdict::new(Code::Usage, "see --help"),
            Self::NotOurs(foreign) => Verdict::new(Code::NameTaken, foreign.hint()),
            Self::Kept(kept) => Verdict::new(Code::NameTaken, kept.hint()),
        }
    }
}

impl From<Unknown> for CommonFailure {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Engine(error) => error.into(),
            Unknown::NotOurs(foreign) => foreign.into(),
        }
    }
}
