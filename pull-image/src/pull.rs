//! Pulling, and telling exactly what came.

use std::thread;
use std::time::{Duration, Instant};

use step::contract::failure::CommonFailure;
use step::contract::handoff::Handoff;
use step::engine::Engine;
use step::engine::cli::Reply;
use step::engine::error::EngineError;
use step::engine::image::{Image, familiar};
use step::join::both;
use step::model::image_ref::{ImageRef, repository};
use step::model::name::Name;
use step::ownership::marks::PREFIX;
use step::signals::interrupted;
use step::terminal::spinner::waiting;
use step::terminal::{progress, terminal_stderr, warn};
use step::text::printable;

use crate::args::Args;
use crate::failure::Failure;
use crate::refusal::classify;
use crate::report::Report;

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let reference = args.image().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    if args.common.swarm {
        engine.manager()?;
    }
    let asked = engine.clone();
    let (space, before) = both(
        || check_space(&engine, args),
        move || asked.image(reference.as_str()),
    );
    space?;
    let before = before?;
    let deadline = Instant::now() + args.timeout;
    let attempts = pull(&engine, reference, args, deadline)?;
    let image = engine.image_for(reference.as_str(), args.platform.as_deref())?;
    let image = image.ok_or_else(|| {
        Failure::NotFound(
            reference.clone(),
            "the engine does not have it after the pull".to_owned(),
        )
    })?;
    keep_a_name(&engine, reference, &image, args, deadline)?;
    let digest = checked(reference, &image, args)?;
    progress(&format!("pull-image: {reference} is {}", image.id));
    Ok(Report {
        size_bytes: image.size,
        changed: before.is_none_or(|before| before.id != image.id),
        attempts,
        pinned: digest
            .as_deref()
            .filter(|_| args.common.swarm)
            .map(|digest| reference.pinned(digest)),
        handoff: Handoff {
            app: args.identity.app.clone(),
            container: args.identity.live().cloned(),
            image: Some(reference.clone()),
            image_id: image.id.parse().ok(),
            digest,
            platform: args.platform.clone(),
            ..Handoff::default()
        },
    })
}

/// That it is what was asked for, and its digest.
fn checked(reference: &ImageRef, image: &Image, args: &Args) -> Result<Option<String>, Failure> {
    check_platform(reference, image, args)?;
    let digest = digest(reference, image, args);
    check_digest(reference, digest.as_deref(), args)?;
    check_label(reference, image, args)?;
    check_ours(reference, image)?;
    Ok(digest)
}

/// The engine's folders may be on another machine (or inside a virtual one): then there is nothing to measure.
fn check_space(engine: &Engine, args: &Args) -> Result<(), Failure> {
    let least = args.min_free;
    if least == 0 || engine.remote_host().is_some() {
        return Ok(());
    }
    for folder in engine.folders(args.identity.live().map(Name::as_str))? {
        let Ok(disk) = rustix::fs::statvfs(folder.as_str()) else {
            progress(&format!(
                "pull-image: the space in {folder} cannot be seen from here, so it is not checked"
            ));
            continue;
        };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < least {
            return Err(Failure::TooLittleSpace {
                folder,
                free,
                least,
            });
        }
    }
    Ok(())
}

/// Tries until it works, the cause is final, the tries are used up, or the time is over.
fn pull(engine: &Engine, image: &ImageRef, args: &Args, deadline: Instant) -> Result<u32, Failure> {
    let mut attempt = 1;
    loop {
        progress(&format!("pull-image: pulling {image}"));
        let left = deadline.saturating_duration_since(Instant::now());
        let failure = match engine.pull(
            image.as_str(),
            args.platform.as_deref(),
            left,
            terminal_stderr(),
        ) {
            Ok(reply) if reply.code == Some(0) => return Ok(attempt),
            Ok(reply) => classify(image, &reply),
            Err(EngineError::TimedOut { .. }) => {
                return Err(Failure::Stalled(image.clone(), args.timeout));
            }
            Err(EngineError::Interrupted { .. }) => {
                return Err(Failure::Interrupted(image.clone()));
            }
            Err(error) => return Err(error.into()),
        };
        let pause = Duration::from_secs(1 << attempt.min(5)) / 2;
        let again =
            failure.is_passing() && attempt < args.attempts && Instant::now() + pause < deadline;
        if !again {
            return Err(failure);
        }
        let wait = waiting(format!("pull-image: trying again in {pause:?}: {failure}"));
        sleep(pause, image)?;
        drop(wait);
        attempt += 1;
    }
}

/// Containerd's store forgets the repository of an image whose tag moves on, unless it was pulled by its digest, too. It
/// has all of it by now: the registry is only asked whether that is so.
fn keep_a_name(
    engine: &Engine,
    reference: &ImageRef,
    image: &Image,
    args: &Args,
    deadline: Instant,
) -> Result<(), Failure> {
    let name = format!("{}@{}", repository(reference.as_str()), image.id);
    let mut names = image.repo_tags.iter();
    let has_it = names.any(|it| familiar(it) == familiar(&name));
    if has_it || !image.is_known_by_digest() {
        return Ok(());
    }
    let left = deadline.saturating_duration_since(Instant::now());
    let pulled = engine.pull(&name, args.platform.as_deref(), left, false);
    let Err(error) = pulled.and_then(Reply::success) else {
        return Ok(());
    };
    if let EngineError::Interrupted { .. } = error {
        return Err(Failure::Interrupted(reference.clone()));
    }
    warn(&format!(
        "pull-image: when the tag moves on, prune-app --repo will not find {}: {error}",
        image.id
    ));
    Ok(())
}

fn sleep(pause: Duration, image: &ImageRef) -> Result<(), Failure> {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        if interrupted() {
            return Err(Failure::Interrupted(image.clone()));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Older engines hand out an image of any platform when the registry has only that one.
fn check_platform(reference: &ImageRef, image: &Image, args: &Args) -> Result<(), Failure> {
    match &args.platform {
        Some(platform) if !image.is_for(platform) => {
            let its = image.platform().unwrap_or_else(|| "another one".to_owned());
            let why = format!("what the registry has is not for {platform}, but for {its}");
            Err(Failure::NotFound(reference.clone(), why))
        }
        _ => Ok(()),
    }
}

/// The digest in the image's repository. Of several, the one that was asked for: an image has
/// one for each manifest that it was pulled by.
fn digest(reference: &ImageRef, image: &Image, args: &Args) -> Option<String> {
    let asked = args.expect_digest.as_deref().or(reference.digest());
    let digests = image.digests_in(repository(reference.as_str()));
    let found = digests.iter().find(|digest| Some(digest.as_str()) == asked);
    found.or(digests.first()).cloned()
}

fn check_digest(image: &ImageRef, digest: Option<&str>, args: &Args) -> Result<(), Failure> {
    match &args.expect_digest {
        Some(expected) if digest != Some(expected) => Err(Failure::WrongDigest {
            image: image.clone(),
            expected: expected.clone(),
            found: digest.map(str::to_owned),
        }),
        _ => Ok(()),
    }
}

fn check_label(reference: &ImageRef, image: &Image, args: &Args) -> Result<(), Failure> {
    let Some(app) = args
        .identity
        .app
        .as_ref()
        .filter(|_| !args.allow_unlabelled)
    else {
        return Ok(());
    };
    if image.label("app") == Some(app.as_str()) {
        return Ok(());
    }
    Err(Failure::Unlabelled(reference.clone(), app.clone()))
}

/// A container says by its labels whose it is. It would inherit these.
fn check_ours(reference: &ImageRef, image: &Image) -> Result<(), Failure> {
    let label = image.labels().keys().find(|it| it.starts_with(PREFIX));
    label.map_or(Ok(()), |label| {
        let label = printable(label, 100);
        Err(Failure::LabelledAsOurs(reference.clone(), label))
    })
}
