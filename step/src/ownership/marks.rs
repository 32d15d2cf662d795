//! The labels that every container and service of the steps has, and when they are believed.
//!
//! A container inherits its image's labels, and `docker commit` writes a container's labels into an image. So a label
//! alone proves nothing. But no image can have its own id in a label: the id is a hash of the image's configuration,
//! labels included. The recipe has the id of the container's image. Where the two are the same, the labels were given
//! to this very container when it was created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::container::Container;
use crate::engine::summary::ContainerSummary;
use crate::engine::swarm::service::Service;
use crate::model::name::Name;
use crate::recipe::values::{log_names, secrets_of_options};
use crate::recipe::{Condition, Previous, Recipe};
use crate::text::secrets::{HIDDEN, Secrets};

/// What all labels of the steps begin with.
pub const PREFIX: &str = "deploy-steps.";

/// What an app's images say, and all containers of them.
pub(super) const LABEL: &str = "app";
/// The app.
pub(super) const APP: &str = "deploy-steps.app";
const ROLE: &str = "deploy-steps.role";
const OF: &str = "deploy-steps.of";
const REPLACES: &str = "deploy-steps.replaces";
const CANDIDATE: &str = "deploy-steps.candidate";
const RECIPE: &str = "deploy-steps.recipe";
const PREVIOUS: &str = "deploy-steps.previous";
const DEPLOY_ID: &str = "deploy-steps.deploy-id";

/// What a container was made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MadeAs {
    /// To be verified.
    Candidate,
    /// To be live.
    Final,
}

/// What the steps say of a container of theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct Marks {
    /// The app.
    pub app: Name,
    /// What it was made to be.
    pub made_as: MadeAs,
    /// The name of the live container that it was made for.
    pub of: Name,
    /// The full id of the container that it is to replace, or has replaced.
    pub replaces: Option<String>,
    /// The full id of the candidate that it was made from.
    pub candidate: Option<String>,
    /// What it was made of.
    pub recipe: Recipe,
    /// The release that it is to replace, or has replaced.
    pub previous: Option<Previous>,
}

impl Marks {
    /// What the steps said of the container when they created it; `None` for one that they have not made.
    pub fn of(container: &Container) -> Option<Self> {
        Self::proven(&container.config.labels, &container.image)
    }

    /// The same of a container in a list.
    pub fn of_summary(summary: &ContainerSummary) -> Option<Self> {
        Self::proven(&summary.labels, &summary.image)
    }

    /// What they said of a service, which inherits no label.
    pub fn of_service(service: &Service) -> Option<Self> {
        Self::read(service.labels())
    }

    fn proven(labels: &BTreeMap<String, String>, image_id: &str) -> Option<Self> {
        Self::read(labels).filter(|marks| marks.recipe.image_id.as_str() == image_id)
    }

    fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let text = |name: &str| labels.get(name).filter(|text| !text.is_empty());
        Some(Self {
            app: text(APP)?.parse().ok()?,
            made_as: serde_json::from_value(text(ROLE)?.as_str().into()).ok()?,
            of: text(OF)?.parse().ok()?,
            replaces: text(REPLACES).cloned(),
            candidate: text(CANDIDATE).cloned(),
            recipe: serde_json::from_str::<Recipe>(text(RECIPE)?)
                .ok()?
                .without_values(),
            previous: text(PREVIOUS)
                .and_then(|text| serde_json::from_str(text).ok())
                .map(Previous::without_values),
        })
    }

    /// Those of a container that is to be made, in whose place nothing was.
    pub fn new(app: &Name, of: &Name, made_as: MadeAs, recipe: Recipe) -> Self {
        Self {
            app: app.clone(),
            made_as,
            of: of.clone(),
            replaces: None,
            candidate: None,
            recipe,
            previous: None,
        }
    }

    /// All labels as options of the CLI's `create`.
    pub fn options(&self) -> impl Iterator<Item = String> {
        let labels = self.labels().into_iter();
        labels.map(|label| format!("--label={label}"))
    }

    /// Whether these very labels are among those of a container or a service.
    pub fn are_among(&self, labels: &BTreeMap<String, String>) -> bool {
        let is_there = |label: &String| {
            let pair = label.split_once('=');
            pair.is_some_and(|(name, value)| labels.get(name).is_some_and(|it| it == value))
        };
        self.labels().iter().all(is_there)
    }

    /// All labels, `NAME=value` each: empty where there is nothing to say, or the image's would be inherited. No label
    /// has the value of an option.
    pub fn labels(&self) -> Vec<String> {
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let made_as = match self.made_as {
            MadeAs::Candidate => "candidate",
            MadeAs::Final => "final",
        };
        let previous = self.previous.clone().map(Previous::without_values);
        let deploy_id = self.recipe.deploy_id.map(|number| number.to_string());
        let all = [
            (APP, self.app.to_string()),
            (ROLE, made_as.to_owned()),
            (OF, self.of.to_string()),
            (REPLACES, self.replaces.clone().unwrap_or_default()),
            (CANDIDATE, self.candidate.clone().unwrap_or_default()),
            (
                RECIPE,
                json(serde_json::to_string(&self.recipe.clone().without_values())),
            ),
            (
                PREVIOUS,
                previous.map_or_else(String::new, |it| json(serde_json::to_string(&it))),
            ),
            (DEPLOY_ID, deploy_id.unwrap_or_default()),
        ];
        all.map(|(name, value)| format!("{name}={value}")).to_vec()
    }
}

/// The recipe of a container that the steps have made.
pub fn recipe_of(container: &Container) -> Option<Recipe> {
    Marks::of(container).map(|marks| marks.recipe)
}

/// What a container that the steps have made says it replaced.
pub fn previous_of(container: &Container) -> Option<Previous> {
    Marks::of(container)?.previous
}

/// The candidate that a container was made from.
pub fn candidate_of(container: &Container) -> Option<String> {
    Marks::of(container)?.candidate
}

/// Whether the candidate was started where something else was live than `live`, or nothing was. An earlier version's does
/// not say.
pub fn replaces_another(candidate: &Container, live: &Container) -> bool {
    let said = candidate.config.labels.get(REPLACES);
    said.is_some_and(|id| *id != live.id)
}

/// Whether the candidate was promoted and still runs: `promote --keep-connections` leaves it to its clients for a while.
pub fn keeps_clients(candidate: &Container, live: Option<&Container>) -> bool {
    candidate.state.up() && live.and_then(candidate_of).as_ref() == Some(&candidate.id)
}

/// A container's image as it was named: the name that it was created by may be another one.
pub fn image_of(container: &Container) -> String {
    let named = recipe_of(container).map(|recipe| recipe.image.to_string());
    named.unwrap_or_else(|| container.config.image.clone())
}

/// `container` as the previous release of whatever replaces it.
pub fn as_previous(container: &Container) -> Previous {
    Previous {
        condition: Condition::default(),
        image: image_of(container),
        image_id: container.image.clone(),
        recipe: recipe_of(container),
    }
}

/// What a container of `recipe` in the place of `old` would go back to. The same release deployed again replaces
/// nothing: then it stays the one before.
pub fn replaced(recipe: &Recipe, old: &Container) -> Previous {
    let same = old.image == recipe.image_id.as_str();
    let earlier = same.then(|| previous_of(old)).flatten();
    earlier.unwrap_or_else(|| as_previous(old))
}

/// What must not be shown of a container: the values of its environment, its run options and its command.
pub fn secrets_of(container: &Container) -> Secrets {
    let recipe = recipe_of(container).unwrap_or_default();
    let mut secrets = secrets_of_options(&recipe.options, &recipe.command);
    let variables = container.variables();
    let log = container.host_config.log_options();
    let log = log_names(&recipe.options).filter_map(|name| log.get(name));
    let values = variables
        .into_values()
        .flatten()
        .chain(log.map(String::as_str));
    values.for_each(|value| secrets.hide(value, HIDDEN));
    secrets
}
