//! What every step's failures have in common.

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit_code::Verdict;

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
