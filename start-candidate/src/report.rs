//! What a start reports.

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::handoff::Handoff;
use step::model::name::{Name, Names};
use step::model::port::Publish;
use step::recipe::Recipe;

/// The candidate that was started.
#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) handoff: Handoff,
    /// The ports that promote will publish.
    pub(crate) publish: Vec<Publish>,
    /// The number of the deployment, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deploy_id: Option<u64>,
    /// Names of options and variables that the live container has and the candidate has not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_carried: Vec<String>,
    /// With --previous or --like-live, the names whose values the live container has lent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) values_from_live: Vec<String>,
    /// Other containers that lose the live one when it is replaced: they share its network, or call it by a link.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cut_off: Vec<String>,
    /// Places in the container where the live one has data in a volume without a name, and the next release an empty one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fresh_volumes: Vec<String>,
}

impl Report {
    /// Of the candidate `id`, a container or a service.
    pub(crate) fn of(app: &Name, live: &Name, names: &Names, id: String, recipe: Recipe) -> Self {
        let handoff = Handoff {
            candidate: names.candidate.parse().ok(),
            candidate_id: Some(id),
            ..Handoff::of(app, live, &recipe)
        };
        Self {
            handoff,
            publish: recipe.publish,
            deploy_id: recipe.deploy_id,
            ..Self::default()
        }
    }
}
