//! What a pull reports.

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::handoff::Handoff;

/// What was pulled.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) handoff: Handoff,
    /// Size on the engine's disk, layers shared with other images included; in containerd's store that of the packed layers.
    pub(crate) size_bytes: u64,
    /// Whether the name means another image than before, or one that was not here.
    pub(crate) changed: bool,
    /// How many tries it took.
    pub(crate) attempts: u32,
    /// With --swarm, the name by which every node runs exactly this image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pinned: Option<String>,
}
