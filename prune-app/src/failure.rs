//! Every way pruning can fail.

use schemars::JsonSchema;
use serde::Serialize;
use step::engine::error::EngineError;
use step::exit_code::{Code, Verdict};
use thiserror::Error;

use crate::prune::Report;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{0}")]
    Usage(String),
    #[error("the lock file could not be opened: {0}")]
    NoLock(std::io::Error),
    #[error("{} could not be removed, the rest was", .0.not_removed.len())]
    NotRemoved(Box<Report>),
}

/// What a failed prune says besides its error: all that was done, and what was not.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Evidence {
    #[serde(flatten)]
    report: Option<Report>,
}

impl step::contract::failure::Failure for Failure {
    type Evidence = Evidence;

    fn verdict(&self) -> Verdict {
        match self {
            Self::Engine(error) => error.verdict(),
            Self::Usage(_) => Verdict::new(Code::Usage, "see --help"),
            Self::NoLock(_) => Verdict::new(
                Code::Unexpected,
                "check the rights on /run/lock, or on the temporary folder",
            ),
            Self::NotRemoved(_) => Verdict::new(
                Code::NotRemoved,
                "not_removed says why; the deployment itself is not touched by it",
            ),
        }
    }

    fn evidence(self) -> Evidence {
        let report = match self {
            Self::NotRemoved(report) => Some(*report),
            Self::Engine(_) | Self::Usage(_) | Self::NoLock(_) => None,
        };
        Evidence { report }
    }
}
