//! The recipe a candidate carries in its labels, from which promote makes the final container.

pub mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::image_ref::ImageRef;
use crate::model::port::{Protocol, Publish};
use crate::model::probe::Probe;
use values::Source;

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
    /// The run options, word by word; variables and options of log drivers by their names alone.
    #[serde(default)]
    pub options: Vec<String>,
    /// Where the values of the variables that they name came from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Source>,
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
    /// The ports on which TCP is spoken.
    pub fn tcp(&self) -> Vec<Publish> {
        self.spoken(Protocol::Tcp)
    }

    /// The ports on which UDP is spoken.
    pub fn udp(&self) -> Vec<Publish> {
        self.spoken(Protocol::Udp)
    }

    /// The port of the container at which `probe` asks: the one that it names, else the first that is published.
    pub fn asked(&self, probe: &Probe) -> Option<u16> {
        let first = || self.tcp().first().map(|it| it.container);
        probe.port.or_else(first)
    }

    fn spoken(&self, protocol: Protocol) -> Vec<Publish> {
        let all = self.publish.iter().copied();
        all.filter(|it| it.protocol == protocol).collect()
    }

    /// The same without values, wherever it comes from.
    #[must_use]
    pub fn without_values(mut self) -> Self {
        let (options, given) = values::without_values(&self.options);
        self.options = options;
        let given = given.into_iter().map(|name| (name, Source::Given));
        self.values.extend(given);
        self
    }

    /// The image as every node of a swarm is to run it, whatever its tag means by then.
    pub fn pinned(&self) -> Option<String> {
        Some(self.image.pinned(self.digest.as_ref()?))
    }

    /// Its deployment's number where that is newer than `deploy_id`. Deployments without a number have no order.
    pub fn newer_than(&self, deploy_id: Option<u64>) -> Option<u64> {
        let its = self.deploy_id?;
        deploy_id.filter(|&ours| its > ours).map(|_| its)
    }

    /// The words after `docker create` that make its container: the candidate and the final
    /// container differ in nothing but their `name`, what is their `own`, and names and addresses on networks
    /// ([`crate::model::places`]). `options` are its own with their values, and `image` is what its image is called:
    /// whoever calls it by another name than its id looks afterwards which image that was.
    pub fn words(
        &self,
        name: &str,
        own: &[String],
        options: &[String],
        image: &str,
    ) -> Vec<String> {
        let mut words = vec![format!("--name={name}")];
        words.extend(["--restart=no", "--pull=never"].map(str::to_owned));
        words.extend(own.iter().cloned());
        words.extend(options.iter().cloned());
        words.push(image.to_owned());
        words.extend(self.command.iter().cloned());
        words
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
    /// The same without values.
    #[must_use]
    pub fn without_values(self) -> Self {
        Self {
            recipe: self.recipe.map(Recipe::without_values),
            ..self
        }
    }
}
