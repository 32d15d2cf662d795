//! What a promotion reports. Only data.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use step::contract::handoff::Handoff;
use step::engine::swarm::task::TaskStatus;
use step::ownership::way_back::WayBack;

/// What is live now.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) handoff: Handoff,
    /// The live container's full id; with --swarm the service's.
    pub(crate) container_id: String,
    /// The number of the deployment, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deploy_id: Option<u64>,
    /// Whether anything was changed: not when the candidate had been promoted already.
    pub(crate) changed: bool,
    /// Whether this finished what an earlier promotion had begun.
    pub(crate) carried_on: bool,
    /// The release that was replaced, to which `start-candidate --previous` goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<Replaced>,
    /// Whether going back to it would have all values of its run options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) way_back: Option<WayBack>,
    /// What clients saw; absent for a first deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) swap: Option<Seen>,
    /// What the heir of an earlier promotion reported, which had been killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heir: Option<Value>,
    /// With --keep-log, whether the replaced container's log is in the file, all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_kept: Option<bool>,
    /// Volumes without a name that the replaced container had: its data stays in them, for nobody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) volumes_left: Vec<String>,
    /// Containers that should have been removed and could not be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_over: Vec<String>,
    /// With --swarm, the tasks that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tasks: Vec<TaskStatus>,
}

/// A release that is not live any more.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Replaced {
    /// Its image as it was named.
    pub(crate) image: String,
    /// Its image's full id.
    pub(crate) image_id: String,
}

/// What clients saw of the swap, by promote's own requests through the host port.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Swap")]
pub(crate) struct Seen {
    /// `on` while new connections and datagrams were redirected to the candidate, else `off`.
    pub(crate) bridge: &'static str,
    /// Why there was no bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bridge_off_because: Option<String>,
    /// Whether calls to the old container's address were redirected to the new one, where clients call the app by an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handed_over: Option<bool>,
    /// Why they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_handed_over_because: Option<String>,
    /// How many requests were sent, each over a new connection; 0 where nothing was watched, as behind a proxy and
    /// where the next release has none of the live container's ports.
    pub(crate) probes: u32,
    /// How many of them were not answered healthily.
    pub(crate) failed: u32,
    /// The longest time between two good answers, in milliseconds.
    pub(crate) longest_gap_ms: u64,
    /// How long the old container was given to finish requests in flight.
    pub(crate) drained_ms: u64,
    /// How long the candidate was given to finish what the bridge had redirected to it.
    pub(crate) candidate_drained_ms: u64,
    /// With --keep-connections, how many connections to the candidate stay open for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<usize>,
    /// How the requests in flight were known: `tcp_info`, or `unknown` without the right to look.
    pub(crate) drained_by: &'static str,
}
