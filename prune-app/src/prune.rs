//! Removing by list, one by one, after deciding what must stay.

use std::thread;
use std::time::Duration;

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::engine::image::{Image, familiar};
use step::host::lock::Lock;
use step::model::image_ref::{ImageRef, repository};
use step::model::name::{Name, Names};
use step::recipe::Recipe;
use step::terminal::{progress, warn};

use crate::args::Args;
use crate::bridge;
use crate::failure::Failure;
use crate::inventory::{inventory, needed};
use crate::report::{Entry, Kept, Left, Report};
use crate::swarm;

/// How often an image is tried to be removed, and the pause between two tries.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    if args.common.swarm {
        return swarm::run(args);
    }
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    let mut report = Report {
        app: Some(app.clone()),
        container: Some(live.clone()),
        dry_run: args.dry_run,
        ..Report::default()
    };
    if args.candidate {
        remove_candidate(&engine, args, live, &names, &mut report)?;
    }
    if !args.dry_run
        && let Some(_no_promotion_begins) =
            Lock::take(live, Duration::ZERO).map_err(CommonFailure::NoLock)?
    {
        bridge::remove_stray(&engine, live, &names)?;
    }
    let _no_candidate_begins = if args.dry_run {
        None
    } else {
        Lock::remove_images(app, args.common.engine.engine_timeout)
            .map_err(CommonFailure::NoLock)?
    };
    let images = inventory(&engine, args, app, &names, &report.containers_removed)?;
    report.kept = images.kept;
    for image in &images.unneeded {
        remove_image(&engine, args, &names, image, &mut report)?;
    }
    if report.not_removed.is_empty() {
        return Ok(report);
    }
    for left in &report.not_removed {
        warn(&format!("prune-app: {} stays: {}", left.what, left.why));
    }
    Err(Failure::NotRemoved(Box::new(report)))
}

/// Takes the candidate away, unless it may be what serves: while a promotion runs or is unfinished.
fn remove_candidate(
    engine: &Engine,
    args: &Args,
    live: &Name,
    names: &Names,
    report: &mut Report,
) -> Result<(), Failure> {
    let lock = Lock::if_no_promotion(live).map_err(CommonFailure::NoLock)?;
    let found = engine.containers(&[&names.candidate, &names.next, &names.old])?;
    let unfinished = found.iter().any(|container| container.name() == names.old);
    for container in found
        .iter()
        .filter(|container| container.name() != names.old)
    {
        let name = container.name().to_owned();
        if let Some(whose) = another(args, names, container) {
            progress(&format!("prune-app: {name} is {whose} by now, it stays"));
        } else if unfinished || lock.is_none() {
            let why = "a promotion is running or unfinished; run promote, which finishes or rolls it back".to_owned();
            report.not_removed.push(Left { what: name, why });
        } else if args.dry_run {
            report.containers_removed.push(name);
        } else {
            match engine.remove_with_volumes(&[&container.id]) {
                Ok(()) => {
                    progress(&format!("prune-app: removed the container {name}"));
                    report.containers_removed.push(name);
                }
                Err(error) => report.not_removed.push(Left {
                    what: name,
                    why: error.to_string(),
                }),
            }
        }
    }
    Ok(())
}

/// Whose the container is, where it is not the candidate that was meant.
fn another(args: &Args, names: &Names, container: &Container) -> Option<&'static str> {
    let mut meant = args.candidate_id.iter();
    if container.name() == names.candidate && meant.any(|id| *id != container.id) {
        return Some("another container");
    }
    Recipe::newer(container, args.deploy_id).map(|_| "a newer deployment's")
}

fn remove_image(
    engine: &Engine,
    args: &Args,
    names: &Names,
    image: &Image,
    report: &mut Report,
) -> Result<(), Failure> {
    let entry = Entry::of(image);
    if args.dry_run {
        report.removed.push(entry);
        return Ok(());
    }
    let mut tries = 1;
    loop {
        let Some(refusal) = removed_at_last(engine, args, image)? else {
            let tags = entry.tags.join(" ");
            progress(&format!("prune-app: removed {} {tags}", entry.id));
            report.removed.push(entry);
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
