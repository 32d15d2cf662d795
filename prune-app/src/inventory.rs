//! Which of the app's images stay, and why; which go.

use std::collections::{BTreeMap, BTreeSet};

use step::engine::Engine;
use step::engine::image::Image;
use step::join::both;
use step::model::name::{Name, Names};
use step::ownership::marks::Marks;

use crate::args::Args;
use crate::failure::Failure;
use crate::report::{Entry, Kept};

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
    previous: Option<&str>,
    going: &[String],
) -> Result<Inventory, Failure> {
    let asked = engine.clone();
    let (needed, images) = both(
        || needed(engine, names, going),
        move || images_of(&asked, args, app),
    );
    let (mut needed, mut images) = (needed?, images?);
    images.sort_by(|a, b| b.age_key().cmp(a.age_key()));
    let parents: BTreeMap<String, String> = images
        .iter()
        .map(|image| (image.id.clone(), image.parent.clone()))
        .collect();
    for image in named(&images, previous) {
        needed.entry(image.id.clone()).or_insert("previous");
    }
    for (id, why) in needed.clone() {
        keep_ancestors(&parents, &id, why, &mut needed);
    }
    Ok(part(images, args.keep, needed, &parents))
}

/// Of images, the newest first, `keep` stay besides those that are needed.
fn part(
    images: Vec<Image>,
    mut keep: usize,
    mut needed: BTreeMap<String, &'static str>,
    parents: &BTreeMap<String, String>,
) -> Inventory {
    let mut inventory = Inventory {
        kept: Vec::new(),
        unneeded: Vec::new(),
    };
    for image in images {
        let why = needed.get(&image.id).copied().or_else(|| {
            keep = keep.checked_sub(1)?;
            keep_ancestors(parents, &image.id, "newest", &mut needed);
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
    // What was built upon another image goes before it.
    inventory.unneeded.sort_by(|a, b| b.created.cmp(&a.created));
    inventory
}

/// Those that a registry knows by this digest.
fn named<'a>(images: &'a [Image], digest: Option<&'a str>) -> impl Iterator<Item = &'a Image> {
    let is_named = move |it: &&Image| {
        let mut names = it.repo_digests.iter();
        digest.is_some_and(|digest| names.any(|name| name.ends_with(digest)))
    };
    images.iter().filter(is_named)
}

/// The images that any container but those `going` was made from, stopped ones included, and those to go back to: of
/// every container, as one app may be live under several names. What is not live yet has none to go back to.
pub(crate) fn needed(
    engine: &Engine,
    names: &Names,
    going: &[String],
) -> Result<BTreeMap<String, &'static str>, Failure> {
    let mut needed = BTreeMap::new();
    // By name as well: from a list that was cut short the way back would be missing.
    let summaries = engine.summaries(&names.all())?.into_iter();
    for summary in summaries.filter(|it| !going.contains(&it.name)) {
        let is_to_be_live = [&names.candidate, &names.next].contains(&&summary.name);
        let marks = Marks::of_summary(&summary).filter(|_| !is_to_be_live);
        if let Some(previous) = marks.and_then(|it| it.previous) {
            needed.entry(previous.image_id).or_insert("previous");
        }
        needed.insert(summary.image, "in_use");
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
    let mut images = engine.images(&ids)?;
    images.retain(|image| image.label("app").is_none_or(|label| label == app.as_str()));
    Ok(images)
}

/// Images built on this engine stay as long as an image built upon them does.
fn keep_ancestors(
    parents: &BTreeMap<String, String>,
    id: &str,
    why: &'static str,
    needed: &mut BTreeMap<String, &'static str>,
) {
    let mut next = parents.get(id);
    while let Some(parent) = next.filter(|parent| !parent.is_empty()) {
        needed.entry(parent.clone()).or_insert(why);
        next = parents.get(parent);
    }
}
