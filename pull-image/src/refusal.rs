//! Why an engine has not pulled, by what its CLI says.

use step::engine::cli::Reply;
use step::model::image_ref::{ImageRef, repository};
use step::text::printable;

use crate::failure::Failure;

/// A failure of an image's pull, with what was said of it.
type Kind = fn(ImageRef, String) -> Failure;

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

/// The CLI ends with 1 whatever the cause; only its sentences tell causes apart. They are the
/// registry's own error codes (distribution, errcode) and Go's network errors.
pub(crate) fn classify(image: &ImageRef, reply: &Reply) -> Failure {
    let stderr = complaint(&reply.stderr);
    let said = without_names(&stderr.to_lowercase(), image);
    let message = printable(stderr, 500);
    if reply.engine_is_away() {
        return reply.failure().into();
    }
    if reply.wants_login {
        // What the CLI says then is about the missing answer.
        return Failure::Denied(image.clone(), "it wants a login, or another one".to_owned());
    }
    // A sentence may hold words of several: the first counts.
    let kinds: [(&[&str], Kind); 6] = [
        (&DISK, Failure::DiskFull),
        (&DAMAGED, Failure::Damaged),
        (&DENIED, Failure::Denied),
        (&LOST, Failure::RegistryUnreachable),
        (&MISSING, Failure::NotFound),
        (&PASSING, Failure::RegistryUnreachable),
    ];
    let is_said = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match kinds.into_iter().find(|(words, _)| is_said(words)) {
        Some((_, kind)) => kind(image.clone(), message),
        None => reply.failure().into(),
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
