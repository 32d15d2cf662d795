//! What a promotion reports.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use step::{Baton, Previous, Standing};

use crate::failure::{Evidence, Failure};
use crate::promote::Promotion;
use crate::swap::Outcome;
use crate::watcher::Swap;

/// What is live now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) baton: Baton,
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
    /// What clients saw; absent for a first deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) swap: Option<Swap>,
    /// What the heir of an earlier promotion reported, which had been killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heir: Option<Value>,
    /// Containers that should have been removed and could not be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_over: Vec<String>,
    /// With --swarm, the tasks that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tasks: Vec<Standing>,
}

/// A release that is not live any more.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Replaced {
    /// Its image as it was named.
    pub(crate) image: String,
    /// Its image's full id.
    pub(crate) image_id: String,
}

impl Promotion<'_> {
    /// The report of a swap that was done, unless its gap was too long.
    pub(crate) fn report(&self, outcome: Outcome, carried_on: bool) -> Result<Report, Failure> {
        let Outcome {
            container_id,
            recipe,
            previous,
            swap,
            left_over,
        } = outcome;
        let gap = swap.as_ref().map_or(0, |swap| swap.longest_gap_ms);
        if let Some(allowed) = self
            .args
            .max_gap
            .filter(|allowed| u128::from(gap) > allowed.as_millis())
        {
            let evidence = Box::new(Evidence {
                swap,
                ..Evidence::default()
            });
            return Err(Failure::GapTooLong {
                live: self.names.live.clone(),
                gap_ms: gap,
                allowed,
                evidence,
            });
        }
        let named = |previous: &Previous| {
            previous
                .recipe
                .as_ref()
                .map(|recipe| recipe.image.to_string())
        };
        Ok(Report {
            container_id,
            deploy_id: recipe.deploy_id,
            changed: true,
            carried_on,
            replaced: previous.map(|previous| Replaced {
                image: named(&previous).unwrap_or(previous.image),
                image_id: previous.image_id,
            }),
            swap,
            heir: self.killed.heir.clone(),
            left_over,
            tasks: Vec::new(),
            baton: Baton {
                app: Some(self.app.clone()),
                container: Some(self.live.clone()),
                image: Some(recipe.image),
                image_id: Some(recipe.image_id),
                digest: recipe.digest,
                ..Baton::default()
            },
        })
    }
}
