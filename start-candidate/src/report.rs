//! What a start reports.

use schemars::JsonSchema;
use serde::Serialize;
use step::contract::handoff::Handoff;
use step::model::name::{Name, Names};
use step::model::port::Publish;
use step::recipe::Recipe;

/// The candidate that was started.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) handoff: Handoff,
    /// The ports that promote will publish.
    pub(crate) publish: Vec<Publish>,
    /// The number of the deployment, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deploy_id: Option<u64>,
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
        }
    }
}
