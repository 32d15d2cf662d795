//! What a stolen key is good for: nothing that the administrator has not provided for.

use std::fs;

use stage::docker::docker;
use stage::steps::{Run, run};

use super::Remote;
use crate::support::App;

/// One on a line, as JSON strings.
const REQUESTS: &str = include_str!("requests.txt");
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Nothing of this is a request.
fn attempts() -> Vec<String> {
    let plain = REQUESTS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let long = [
        format!("deploy {}", "v".repeat(129)),
        format!("deploy {}", "v".repeat(100_000)),
        format!("deploy {DIGEST}0"),
        format!("deploy {}", DIGEST.to_uppercase()),
        format!("deploy v2@{DIGEST}"),
    ];
    plain.chain(long).collect()
}

pub(super) fn assert_refused(run: &Run, request: &str) {
    assert_eq!((run.code, &*run.stdout), (2, ""), "{request:?}: {run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(
        lines
            .last()
            .is_some_and(|it| it.starts_with("deploy-over-ssh: refused")),
        "{run:?}"
    );
}

/// Everything of the app and of the engine that an attempt might change.
pub(super) fn state(app: &App) -> String {
    let all = docker([
        "ps",
        "-aq",
        "--no-trunc",
        "--filter",
        &format!("name={}", app.name()),
    ]);
    let label = format!("label=app={}", app.name());
    let images = docker(["image", "ls", "-aq", "--no-trunc", "--filter", &label]);
    format!("{} {}", all.unwrap(), images.unwrap())
}

#[test]
fn whatever_else_a_key_asks_for_is_refused_and_does_nothing() {
    let at = Remote::new("stolen");
    at.release("v2");
    assert_eq!(at.server.run("deploy v2").code, 0);
    let before = state(&at.app);
    // Over the wire for some, as each is a connection of its own; the rest as sshd would hand it on.
    let (wired, rest): (Vec<_>, Vec<_>) = attempts()
        .into_iter()
        .enumerate()
        .partition(|it| it.0 % 6 == 0);
    for (_, request) in wired {
        let asked = run(at.server.ask(&[], &request), None).unwrap();
        assert_refused(&asked, &request);
        assert_eq!(asked.stderr.lines().count(), 1, "{asked:?}");
    }
    let script = [
        "/usr/local/sbin/deploy-over-ssh",
        at.app.name(),
        &at.vm.repository,
    ];
    let each = "for request in \"$REQUESTS\"/*; do SSH_ORIGINAL_COMMAND=$(cat \"$request\"; echo .)
        SSH_ORIGINAL_COMMAND=${SSH_ORIGINAL_COMMAND%.} \"$@\" || echo $?; done";
    let folder = tempfile::tempdir().unwrap();
    for (number, request) in &rest {
        fs::write(folder.path().join(number.to_string()), request).unwrap();
    }
    let mut all = at
        .vm
        .command(&[&["sh", "-c", each, "sh"], &script[..]].concat());
    all.env("REQUESTS", folder.path());
    let all = run(all, None).unwrap();
    assert_eq!(all.stdout, "2\n".repeat(rest.len()), "{all:?}");
    assert_eq!(all.stderr.lines().count(), rest.len(), "{all:?}");
    assert_eq!(state(&at.app), before);
}
