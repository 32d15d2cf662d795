//! Removing images by list, one by one, after deciding what must stay.

use std::thread;
use std::time::Duration;

use step::engine::Engine;
use step::engine::image::{Image, familiar};
use step::model::image_ref::{ImageRef, repository};
use step::model::name::{Name, Names};
use step::terminal::progress;

use crate::args::Args;
use crate::failure::Failure;
use crate::inventory::{inventory, needed};
use crate::report::{Entry, Kept, Left, Report};

/// How often an image is tried to be removed, and the pause between two tries.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

/// Removes the app's images that this engine needs no more.
pub(crate) fn remove(
    engine: &Engine,
    args: &Args,
    app: &Name,
    names: &Names,
    previous: Option<&str>,
    report: &mut Report,
) -> Result<(), Failure> {
    let _no_candidate_begins = if args.dry_run {
        None
    } else {
        engine.lock_images(app)?
    };
    let going = &report.containers_removed;
    let images = inventory(engine, args, app, names, previous, going)?;
    report.kept = images.kept;
    for image in &images.unneeded {
        remove_image(engine, args, names, image, report)?;
    }
    Ok(())
}

fn remove_image(
    engine: &Engine,
    args: &Args,
    names: &Names,
    image: &Image,
    report: &mut Report,
) -> Result<(), Failure> {
    let entry = Entry::of(image);
    let going = going(image, args);
    if args.dry_run {
        report.removed.push(going);
        return Ok(());
    }
    let mut tries = 1;
    loop {
        let Some(refusal) = removed_at_last(engine, args, image)? else {
            let tags = going.tags.join(" ");
            progress(&format!("prune-app: removed {} {tags}", going.id));
            report.removed.push(going);
            return Ok(());
        };
        // A deployment may have begun to use it since it was looked at, and have given it up again since it was refused.
        match needed(engine, names, &[])?.get(&image.id) {
            Some(why) => report.kept.push(Kept { image: entry, why }),
            None if tries < TRIES => {
                tries += 1;
                continue;
            }
            None => report.not_removed.push(Left {
                what: entry.id,
                why: step::text::printable(&refusal, 300),
            }),
        }
        return Ok(());
    }
}

/// What is removed of an image: its names in `--repo` only, and no byte, where it is somebody else's as well.
fn going(image: &Image, args: &Args) -> Entry {
    let references = references(image, args.repo.as_ref());
    let whole = Entry::of(image);
    if references.contains(&image.id) {
        return whole;
    }
    let tags = whole.tags.into_iter();
    Entry {
        tags: tags.filter(|tag| references.contains(tag)).collect(),
        size_bytes: 0,
        ..whole
    }
}

/// Removes the image and returns what the engine says if it stays. Another prune may be at it, and
/// has taken its names and not yet the image itself: what counts is that it is gone.
fn removed_at_last(engine: &Engine, args: &Args, image: &Image) -> Result<Option<String>, Failure> {
    let mut image = image.clone();
    let mut tries = 1;
    loop {
        let references = references(&image, args.repo.as_ref());
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        if references.is_empty() {
            return Ok(None);
        }
        let reply = engine.remove_images(&references)?;
        if reply.code == Some(0) {
            return Ok(None);
        }
        let Some(left) = engine.image(&image.id)? else {
            return Ok(None);
        };
        if tries == TRIES {
            return Ok(Some(reply.stderr));
        }
        image = left;
        tries += 1;
        thread::sleep(PAUSE);
    }
}

/// The repository as people write it.
fn short(name: &str) -> &str {
    familiar(repository(name))
}

/// What the repository is called among the image's names: podman has `localhost/` before those of local builds.
fn called(image: &Image, repository: &str) -> String {
    let mut names = image.repo_tags.iter().chain(&image.repo_digests);
    if names.any(|name| short(name) == repository) {
        return repository.to_owned();
    }
    format!("localhost/{repository}")
}

/// What to remove so that the image goes. The engine removes it by its id, and then refuses if
/// any container uses it, but only while it has one tag at most and is in one repository: all
/// other names go first. An unlabelled image that further repositories name is also somebody
/// else's: it loses the names that `repo` has for it.
pub(crate) fn references(image: &Image, repo: Option<&ImageRef>) -> Vec<String> {
    let tagged = |name: &str| {
        let mut tags = image.repo_tags.iter();
        tags.any(|tag| short(tag) == short(name))
    };
    // A repository's digest goes with its last tag.
    let bare = image.repo_digests.iter().filter(|name| !tagged(name));
    let names = image.repo_tags.iter().chain(bare).cloned();
    let repo = repo.filter(|_| image.label("app").is_none());
    let repo = repo.map(|repo| called(image, short(repo.as_str())));
    let is_ours = |name: &String| repo.as_deref().is_none_or(|repo| short(name) == repo);
    if names.clone().all(|name| is_ours(&name)) {
        names.skip(1).chain([image.id.clone()]).collect()
    } else {
        names.filter(is_ours).collect()
    }
}
