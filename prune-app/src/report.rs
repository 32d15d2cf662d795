//! What a prune reports.

use schemars::JsonSchema;
use serde::Serialize;
use step::engine::image::Image;
use step::model::name::Name;

/// What was removed and what was not.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Report {
    /// The app.
    pub(crate) app: Option<Name>,
    /// The live container's name.
    pub(crate) container: Option<Name>,
    /// Whether nothing was done.
    pub(crate) dry_run: bool,
    /// Containers that were removed, by name.
    pub(crate) containers_removed: Vec<String>,
    /// Images that were removed.
    pub(crate) removed: Vec<Entry>,
    /// Images that stay.
    pub(crate) kept: Vec<Kept>,
    /// What should have gone and could not.
    pub(crate) not_removed: Vec<Left>,
    /// With --swarm, the other nodes, where nothing was done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nodes: Vec<OnNode>,
}

impl Report {
    /// Of a prune that has removed nothing yet.
    pub(crate) fn begin(app: &Name, live: &Name, dry_run: bool) -> Self {
        Self {
            app: Some(app.clone()),
            container: Some(live.clone()),
            dry_run,
            ..Self::default()
        }
    }
}

/// An image.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// Its full id.
    pub(crate) id: String,
    /// Its tags, `repository:tag`; of a removed one those that are gone.
    pub(crate) tags: Vec<String>,
    /// Its size, layers shared with other images included; in containerd's store that of the packed layers. 0 where only
    /// names were removed, and the image stays under those of others.
    pub(crate) size_bytes: u64,
}

impl Entry {
    pub(crate) fn of(image: &Image) -> Self {
        let tags = image.repo_tags.iter().filter(|name| !name.contains('@'));
        Self {
            id: image.id.clone(),
            tags: tags.cloned().collect(),
            size_bytes: image.size,
        }
    }
}

/// An image that stays.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Kept {
    #[serde(flatten)]
    pub(crate) image: Entry,
    /// `in_use`, `previous` or `newest`.
    pub(crate) why: &'static str,
}

/// An image or a container that could not be removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Left {
    /// The image's id or the container's name.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
}

/// Another node of the swarm.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OnNode {
    /// The node's id.
    pub(crate) node: String,
    /// Its name.
    pub(crate) hostname: String,
    /// What is to be run there.
    pub(crate) run: String,
}
