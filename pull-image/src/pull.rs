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
    let platform = args.platform.as_deref();
    let image = engine.image_for(reference.as_str(), platform)?;
    let image = image.ok_or_else(|| {
        Failure::NotFound(
            reference.clone(),
            "the engine does not have it after the pull".to_owned(),
        )
    })?;
    keep_a_name(&engine, reference, &image, args, deadline)?;
    check_platform(reference, &image, args)?;
    let digest = digest(reference, &image, args);
    check_digest(reference, digest.as_deref(), args)?;
    check_label(reference, &image, args)?;
    check_ours(reference, &image)?;
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

/// The CLI ends with 1 whatever the cause; only its sentences tell causes apart. They are the
/// registry's own error codes (distribution, errcode) and Go's network errors.
fn classify(image: &ImageRef, reply: &Reply) -> Failure {
    const DISK: [&str; 1] = ["no space left on device"];
    const DAMAGED: [&str; 4] = [
        "verification failed for digest",
        "unexpected commit digest",
        "digest did not match",
        "does not match provided manifest digest",
    ];
    const DENIED: [&str; 12] = [
        "statuscode: 401",
        "statuscode: 403",
        // Of containerd's store: `unexpected status from HEAD request to URL: 401 Unauthorized`.
        ": 401 ",
        ": 403 ",
        "denied",
        "interactive login",
        "http 401",
        "http 403",
        "no basic auth credentials",
        "unauthorized",
        "authentication required",
        "forbidden",
    ];
    // The engine's own store, which never got a layer: containerd says why only when that is seen first.
    const LOST: [&str; 1] = ["from content store: content digest"];
    const MISSING: [&str; 7] = [
        "http 404",
        "statuscode: 404",
        "manifest unknown",
        "not found",
        "name unknown",
        "no matching manifest",
        "does not match the specified platform",
    ];
    const PASSING: [&str; 20] = [
        "http 429",
        "statuscode: 429",
        "statuscode: 5",
        "connection refused",
        "connection reset",
        "no such host",
        "no route to host",
        "network is unreachable",
        "i/o timeout",
        "timeout",
        "deadline exceeded",
        "canceled",
        "eof",
        "toomanyrequests",
        "unexpected http status",
        "unexpected status from",
        // Of podman 4.
        "too many requests",
        "status code from registry 5",
        "http response to https client",
        "blob",
    ];
    let stderr = complaint(&reply.stderr);
    let said = without_names(&stderr.to_lowercase(), image);
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let message = step::text::printable(stderr, 500);
    if reply.engine_is_away() {
        reply.failure().into()
    } else if reply.wants_login {
        // What the CLI says then is about the missing answer.
        Failure::Denied(image.clone(), "it wants a login, or another one".to_owned())
    } else if any(&DISK) {
        Failure::DiskFull(image.clone(), message)
    } else if any(&DAMAGED) {
        Failure::Damaged(image.clone(), message)
    } else if any(&DENIED) {
        Failure::Denied(image.clone(), message)
    } else if any(&LOST) {
        Failure::RegistryUnreachable(image.clone(), message)
    } else if any(&MISSING) {
        Failure::NotFound(image.clone(), message)
    } else if any(&PASSING) {
        Failure::RegistryUnreachable(image.clone(), message)
    } else {
        reply.failure().into()
    }
}

/// Podman tells its progress and its own new tries before what it gave up for.
fn complaint(stderr: &str) -> &str {
    let at = stderr.rfind("\nError: ").map_or(0, |at| at + 1);
    &stderr[at..]
}

/// What was said, without the image's own names: one may well be called `denied`.
fn without_names(said: &str, image: &ImageRef) -> String {
    let whole = image.as_str().to_lowercase();
    let repository = repository(&whole);
    let (host, path) = repository.split_once('/').unwrap_or(("", repository));
    let tag = whole.strip_prefix(repository).unwrap_or_default();
    let tag = tag.trim_start_matches(':');
    let mut names = vec![whole.clone(), format!("/{path}"), format!("for {path}")];
    if !host.is_empty() {
        names.insert(1, repository.to_owned());
        names.push(host.to_owned());
    }
    if !tag.is_empty() {
        names.extend([
            format!(":{tag}"),
            format!("/{tag}"),
            format!("manifest {tag} in"),
        ]);
    }
    names
        .iter()
        .fold(said.to_owned(), |said, name| said.replace(name, ""))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_never_got_into_the_engines_store_is_not_an_image_that_is_not_found() {
        let image: ImageRef = "web.example/web:v1".parse().unwrap();
        let said = |stderr: &str| {
            let reply = Reply {
                call: "docker pull".to_owned(),
                code: Some(1),
                stdout: String::new(),
                stderr: stderr.to_owned(),
                wants_login: false,
            };
            classify(&image, &reply)
        };
        let lost = said(
            "failed to unpack image on snapshotter overlayfs: apply layer error for \"web.example/web:v1\": failed to extract layer sha256:4d: NotFound: failed to get reader from content store: content digest sha256:51: not found",
        );
        assert!(lost.is_passing() && matches!(lost, Failure::RegistryUnreachable(..)));
        let missing = said("failed to resolve reference \"web.example/web:v1\": not found");
        assert!(matches!(missing, Failure::NotFound(..)));
    }
}
