//! What a probe reports.

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::handoff::Handoff;
use step::health::Attempt;

/// A healthy app.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) handoff: Handoff,
    /// The address that was asked.
    pub(crate) target: String,
    /// How many attempts it took.
    pub(crate) attempts: u32,
    /// The last of them, at most five.
    pub(crate) last_attempts: Vec<Attempt>,
}
