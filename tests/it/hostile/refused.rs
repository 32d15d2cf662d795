//! Words that no step takes: exit 2, or 6 where a report brings them, and the engine is not asked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::json;

use super::Recorded;
use crate::support::failed;

const STEPS: [&str; 5] = [
    "pull-image",
    "start-candidate",
    "probe-health",
    "promote",
    "prune-app",
];

/// What no name, image, path, label or host of anything may be.
fn never() -> Vec<String> {
    let mut words = [
        "",
        " ",
        "-",
        "--",
        "-x",
        "--rm",
        "--privileged",
        "-v/:/host",
        "two words",
        "two\nlines",
        "tab\tbed",
        "'quoted'",
        "\"quoted\"",
        "$(touch x)",
        "`touch x`",
        "web;touch x",
        "web|touch x",
        "web>x",
        "{{.ID}}",
        "wéb",
        "wеb",
        "\u{202e}bew",
        "web\u{200b}",
        "\u{1b}[31mweb",
        "##[error]web",
        "%00",
        "..",
    ]
    .map(str::to_owned)
    .to_vec();
    words.push("a".repeat(4096));
    words
}

/// Runs a step that must refuse one of its words.
fn refuse(step: &str, words: &[&str]) {
    let (run, calls) = Recorded::new(step, words).run(None);
    crate::runs::refused(&run);
    assert_eq!(calls, [[""; 0]; 0], "{words:?}");
    let first = run.stderr.lines().next().unwrap();
    assert!(!run.stderr.contains('\u{1b}'), "{run:?}");
    assert!(!first.contains("##["), "{run:?}");
}

#[test]
fn names_of_apps_and_containers() {
    for word in never()
        .iter()
        .map(String::as_str)
        .chain(["a/b", "w", "/web", &"5".repeat(64)])
    {
        let (app, container) = (format!("--app={word}"), format!("--container={word}"));
        for step in STEPS {
            let image = ["web:v1"];
            let more = match step {
                "pull-image" => &image[..],
                "start-candidate" => &["--image=web:v1"],
                _ => &[],
            };
            refuse(step, &[&[app.as_str()], more].concat());
            refuse(step, &[&["--app=web", container.as_str()], more].concat());
        }
        refuse("probe-health", &[&format!("--candidate={word}")]);
    }
}

#[test]
fn names_from_the_environment() {
    for word in never().iter().filter(|word| !word.is_empty()) {
        for name in ["APP_NAME", "CONTAINER_NAME"] {
            let mut promote = Recorded::new("promote", &[]);
            promote.command.env("APP_NAME", "web").env(name, word);
            let (run, calls) = promote.run(None);
            crate::runs::refused(&run);
            assert_eq!(calls, [[""; 0]; 0], "{word:?}");
        }
    }
}

#[test]
fn images() {
    let bad = [
        "UPPER",
        "a//b",
        "a:",
        "a:-x",
        "a@sha256:12",
        "http://a/b",
        "a:b:c",
        "a/../b",
    ];
    for word in never().iter().map(String::as_str).chain(bad) {
        if word != "--" {
            refuse("pull-image", &["--", word]);
        }
        refuse(
            "start-candidate",
            &["--app=web", &format!("--image={word}")],
        );
        refuse("prune-app", &["--app=web", &format!("--repo={word}")]);
    }
    refuse("prune-app", &["--app=web", "--repo=web:v1"]);
}

#[test]
fn every_other_value() {
    for word in never() {
        for (step, flag) in [
            ("pull-image", "--expect-digest"),
            ("pull-image", "--platform"),
            ("pull-image", "--attempts"),
            ("pull-image", "--timeout"),
            ("pull-image", "--min-free"),
            ("start-candidate", "--publish"),
            ("start-candidate", "--health-path"),
            ("start-candidate", "--health-port"),
            ("start-candidate", "--deploy-id"),
            ("start-candidate", "--engine-timeout"),
            ("probe-health", "--path"),
            ("probe-health", "--port"),
            ("probe-health", "--url"),
            ("probe-health", "--header"),
            ("probe-health", "--expect-status"),
            ("promote", "--within"),
            ("promote", "--restart"),
            ("prune-app", "--keep"),
        ] {
            // As a path of the probe or a platform some of them are harmless, but none starts well.
            let image = if step == "pull-image" {
                "web:v1"
            } else {
                "--app=web"
            };
            let given = format!("{flag}={word}");
            if flag == "--platform" && word == ".." {
                continue;
            }
            refuse(step, &[image, &given]);
        }
        let id = format!("--candidate-id={word}");
        refuse("prune-app", &["--app=web", "--candidate", &id]);
    }
}

#[test]
fn paths_that_no_request_can_ask_for() {
    for path in [
        "/`touch`",
        "/a>b",
        "/<a",
        "/\"",
        "/a b",
        "/é",
        "/a\r\nX: y",
        "http://a/",
    ] {
        refuse(
            "start-candidate",
            &[
                "--app=web",
                "--image=web:v1",
                &format!("--health-path={path}"),
            ],
        );
        refuse("probe-health", &["--app=web", &format!("--path={path}")]);
    }
}

#[test]
fn hosts_with_blanks_or_control_characters() {
    for word in ["", "a b", "a\nX: y", "a\r\nX: y", "-x", "wéb", "\u{1b}[31m"] {
        let host = format!("--health-host={word}");
        refuse("start-candidate", &["--app=web", "--image=web:v1", &host]);
    }
}

#[test]
fn bytes_that_are_no_text() {
    let bad = OsStr::from_bytes(b"web\xff");
    for step in STEPS {
        let mut recorded = Recorded::new(step, &["--app"]);
        recorded.command.arg(bad);
        let (run, calls) = recorded.run(None);
        crate::runs::refused(&run);
        assert_eq!(calls, [[""; 0]; 0], "{step}");
    }
}

#[test]
fn reports_that_bring_them() {
    let keys = [
        "app",
        "container",
        "candidate",
        "candidate_id",
        "image",
        "image_id",
    ];
    let words = never();
    let cases = words.iter().flat_map(|word| keys.map(|key| (word, key)));
    for ((word, key), step) in cases.zip(STEPS.into_iter().cycle()) {
        let mut report = json!({"ok": true, "app": "web", "image": "web:v1"});
        report[key] = json!(word);
        let report = report.to_string();
        let (run, calls) = Recorded::new(step, &["--from=-"]).run(Some(&report));
        failed(&run, 6, "from_unreadable");
        assert_eq!(calls, [[""; 0]; 0], "{report}");
        assert!(!run.stderr.contains('\u{1b}'), "{run:?}");
    }
}
