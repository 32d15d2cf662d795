//! The recipe a candidate carries in its labels, from which promote makes the final container.

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::engine::container::{Container, ContainerSummary};
use crate::engine::swarm::service::Service;
use crate::model::image_ref::ImageRef;
use crate::model::name::Name;
use crate::model::port::Publish;
use crate::model::probe::Probe;
use crate::text::secrets_of_options;

/// Label of every container that the steps make: the app.
pub const APP_LABEL: &str = "deploy-steps.app";
/// Label of every container that the steps make: its [`Recipe`], as JSON.
pub const RECIPE_LABEL: &str = "deploy-steps.recipe";
/// Label of a promoted container, and of a candidate that publishes no port and so may go live itself:
/// what it replaces, a [`Previous`] as JSON.
pub const PREVIOUS_LABEL: &str = "deploy-steps.previous";
/// Label of a promoted container: the id of the candidate it was made from.
pub const CANDIDATE_LABEL: &str = "deploy-steps.candidate";

/// All that is needed to make the container again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recipe {
    /// The image as it was asked for.
    pub image: ImageRef,
    /// The image's full id.
    pub image_id: ImageRef,
    /// The digest under which the image's repository knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The ports to publish when promoted.
    #[serde(default)]
    pub publish: Vec<Publish>,
    /// The run options, word by word.
    #[serde(default)]
    pub options: Vec<String>,
    /// The command, word by word; empty is the image's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// The folder in which relative paths among the options are meant.
    pub folder: String,
    /// How the app is probed.
    #[serde(default, deserialize_with = "checked")]
    pub probe: Probe,
    /// The number of the deployment, such as a CI run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_id: Option<u64>,
}

fn checked<'de, D: Deserializer<'de>>(value: D) -> Result<Probe, D::Error> {
    let probe = Probe::deserialize(value)?;
    probe.check().map_err(D::Error::custom)?;
    Ok(probe)
}

impl Recipe {
    /// The recipe a container carries.
    pub fn of(container: &Container) -> Option<Self> {
        serde_json::from_str(container.label(RECIPE_LABEL)?).ok()
    }

    /// The recipe a service carries.
    pub fn of_service(service: &Service) -> Option<Self> {
        serde_json::from_str(service.label(RECIPE_LABEL)?).ok()
    }

    /// The image as every node of a swarm is to run it, whatever its tag means by then.
    pub fn pinned(&self) -> Option<String> {
        Some(self.image.pinned(self.digest.as_ref()?))
    }

    /// The number of the container's deployment where it is newer than `deploy_id`. Deployments
    /// without a number have no order.
    pub fn newer(container: &Container, deploy_id: Option<u64>) -> Option<u64> {
        Self::of(container)?.newer_than(deploy_id)
    }

    /// Its deployment's number where that is newer than `deploy_id`, as for [`Recipe::newer`].
    pub fn newer_than(&self, deploy_id: Option<u64>) -> Option<u64> {
        let its = self.deploy_id?;
        deploy_id.filter(|&ours| its > ours).map(|_| its)
    }

    /// The words after `docker create` that make its container: the candidate and the final
    /// container differ in nothing but their `name` and what is their `own`.
    pub fn words(&self, name: &str, app: &Name, own: Vec<String>) -> Vec<String> {
        let mut words = vec![format!("--name={name}")];
        words.extend(["--restart=no", "--pull=never"].map(str::to_owned));
        words.push(format!("--label={APP_LABEL}={app}"));
        words.push(format!("--label={RECIPE_LABEL}={}", self.label()));
        words.extend(own);
        words.extend(self.options.iter().cloned());
        words.push(self.image_id.to_string());
        words.extend(self.command.iter().cloned());
        words
    }

    /// The recipe as a label's value.
    pub fn label(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a promoted container replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Previous {
    /// The replaced container's image, as it was named.
    pub image: String,
    /// The image's full id.
    pub image_id: String,
    /// Its recipe, where the steps had made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// How it was before it was replaced: what a rollback may expect of it.
    #[serde(default, skip_serializing_if = "Condition::is_healthy")]
    pub condition: Condition,
}

/// How a container was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It answered its probe.
    #[default]
    Healthy,
    /// It ran, and did not.
    Sick,
    /// It did not run.
    Down,
}

impl Condition {
    fn is_healthy(&self) -> bool {
        *self == Self::Healthy
    }
}

impl Previous {
    /// What `container` says it replaced.
    pub fn of(container: &Container) -> Option<Self> {
        Self::read(container.label(PREVIOUS_LABEL))
    }

    /// What a container in a list says it replaced.
    pub fn of_summary(summary: &ContainerSummary) -> Option<Self> {
        Self::read(summary.label(PREVIOUS_LABEL))
    }

    /// What a service says it replaced.
    pub fn of_service(service: &Service) -> Option<Self> {
        Self::read(service.label(PREVIOUS_LABEL))
    }

    fn read(label: Option<&str>) -> Option<Self> {
        serde_json::from_str(label?).ok()
    }

    /// `container` as the previous release of whatever replaces it.
    pub fn from(container: &Container) -> Self {
        Self {
            condition: Condition::default(),
            image: container.config.image.clone(),
            image_id: container.image.clone(),
            recipe: Recipe::of(container),
        }
    }

    /// What a container of `recipe` in the place of `old` would go back to. The same release
    /// deployed again replaces nothing: then it stays the one before.
    pub fn replaced(recipe: &Recipe, old: &Container) -> Self {
        let same = old.image == recipe.image_id.as_str();
        let earlier = same.then(|| Self::of(old)).flatten();
        earlier.unwrap_or_else(|| Self::from(old))
    }

    /// As a label's value.
    pub fn label(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What must not be shown of a container: the values of its environment and run options. Values
/// shorter than six characters stay visible, or a log could not say `port 8080`.
pub fn secrets_of(container: &Container) -> Vec<String> {
    let env = container.config.env.iter();
    let values = env.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
    let options = Recipe::of(container).unwrap_or_default().options;
    let all = values.chain(secrets_of_options(&options));
    all.filter(|value| value.chars().count() >= 6).collect()
}
