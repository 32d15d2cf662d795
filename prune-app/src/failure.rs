//! Every way pruning can fail.

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::failure::{self, CommonFailure};
use step::engine::error::EngineError;
use step::exit_code::{Code, Verdict};
use step::terminal::warn;
use thiserror::Error;

use crate::report::Report;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Common(#[from] CommonFailure),
    #[error("{} could not be removed, the rest was", .0.not_removed.len())]
    NotRemoved(Box<Report>),
}

/// What a failed prune says besides its error: all that was done, and what was not.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Evidence {
    #[serde(flatten)]
    report: Option<Report>,
}

impl Report {
    /// What could not be removed is a failure.
    pub(crate) fn told(self) -> Result<Self, Failure> {
        for left in &self.not_removed {
            warn(&format!("prune-app: {} stays: {}", left.what, left.why));
        }
        if self.not_removed.is_empty() {
            return Ok(self);
        }
        Err(Failure::NotRemoved(Box::new(self)))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        CommonFailure::from(error).into()
    }
}

impl failure::Failure for Failure {
    type Evidence = Evidence;

    fn verdict(&self) -> Verdict {
        match self {
            Self::Common(failure) => failure.verdict(),
            Self::NotRemoved(_) => Verdict::new(
                Code::NotRemoved,
                "not_removed says why; the deployment itself is not touched by it",
            ),
        }
    }

    fn evidence(self) -> Evidence {
        let report = match self {
            Self::NotRemoved(report) => Some(*report),
            Self::Common(_) => None,
        };
        Evidence { report }
    }
}
