//! Which of the app's images stay, and why; which go.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use step::{Engine, Image, Name, Names, Previous};

use crate::args::Args;
use crate::failure::Failure;
use crate::prune::Entry;

/// How many objects one call of the engine is asked about: far below the limit of a command line.
const BATCH: usize = 200;

/// An image that stays.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Kept {
    #[serde(flatten)]
    image: Entry,
    /// `in_use`, `previous` or `newest`.
    why: &'static str,
}

/// The app's images, parted.
pub(crate) struct Inventory {
    pub(crate) kept: Vec<Kept>,
    pub(crate) unneeded: Vec<Image>,
}

pub(crate) fn inventory(
    engine: &Engine,
    args: &Args,
    app: &Name,
    names: &Names,
) -> Result<Inventory, Failure> {
    let needed = needed(engine, names)?;
    let mut images = images_of(engine, args, app)?;
    images.sort_by(|a, b| b.age_key().cmp(a.age_key()));
    let parents = parents_of_kept(&images, &needed);
    let mut left = args.keep;
    let mut inventory = Inventory {
        kept: Vec::new(),
        unneeded: Vec::new(),
    };
    for image in images {
        let why = needed
            .get(&image.id)
            .copied()
            .or(parents.contains(&image.id).then_some("in_use"));
        let why = why.or_else(|| {
            left = left.checked_sub(1)?;
            Some("newest")
        });
        match why {
            Some(why) => inventory.kept.push(Kept {
                image: Entry::of(&image),
                why,
            }),
            None => inventory.unneeded.push(image),
        }
    }
    Ok(inventory)
}

/// The images that any container was made from, stopped ones included, and the one to go back to.
fn needed(engine: &Engine, names: &Names) -> Result<BTreeMap<String, &'static str>, Failure> {
    let mut needed = BTreeMap::new();
    for batch in engine.container_ids()?.chunks(BATCH) {
        let ids: Vec<&str> = batch.iter().map(String::as_str).collect();
        for container in engine.containers(&ids)? {
            if let Some(previous) =
                Previous::of(&container).filter(|_| container.name() == names.live)
            {
                needed.entry(previous.image_id).or_insert("previous");
            }
            needed.insert(container.image, "in_use");
        }
    }
    Ok(needed)
}

/// By label, and by repository where one was named; never an image labelled as another app's.
fn images_of(engine: &Engine, args: &Args, app: &Name) -> Result<Vec<Image>, Failure> {
    let mut ids: BTreeSet<String> = engine
        .image_ids(&format!("label=app={app}"))?
        .into_iter()
        .collect();
    if let Some(repo) = &args.repo {
        ids.extend(engine.image_ids(&format!("reference={repo}"))?);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut images = Vec::new();
    for batch in ids.chunks(BATCH) {
        images.extend(engine.images(batch)?);
    }
    images.retain(|image| image.label("app").is_none_or(|label| label == app.as_str()));
    Ok(images)
}

/// Images built on this engine stay as long as an image built upon them does.
fn parents_of_kept(images: &[Image], needed: &BTreeMap<String, &str>) -> BTreeSet<String> {
    let parent = |id: &String| {
        images
            .iter()
            .find(|image| image.id == *id)
            .map(|image| image.parent.clone())
    };
    let mut parents = BTreeSet::new();
    for id in needed.keys() {
        let mut next = parent(id);
        while let Some(id) = next.filter(|id| !id.is_empty() && !parents.contains(id)) {
            next = parent(&id);
            parents.insert(id);
        }
    }
    parents
}
