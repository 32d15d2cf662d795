//! One deployment at a time: good ones, failing ones under load, moved tags, and five in a row.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use stage::docker::docker;
use stage::load::Load;
use stage::registry;
use stage::steps::run;

use super::{FLAGS, PIPE, pushed, shell};
use crate::support::App;

#[test]
fn both_ways_to_write_it_bring_release_after_release() {
    for script in [FLAGS, PIPE] {
        let app = App::new("script");
        for version in ["v1", "v2"] {
            let image = pushed(&app, &app.image(version), version);
            let done = run(shell(script, &app, &image.name), None).unwrap();
            assert_eq!(done.code, 0, "{done:?}");
            app.assert_live(&image);
            for line in done.stdout.lines() {
                let report: Value = serde_json::from_str(line).unwrap();
                assert_eq!(report["ok"], true, "{line}");
            }
            let reports = if script == PIPE { 1 } else { 5 };
            assert_eq!(done.stdout.lines().count(), reports, "{done:?}");
        }
    }
}

#[test]
fn a_release_that_fails_leaves_the_live_container_answering_every_request() {
    let ways = [
        (FLAGS, "SICK", 1),
        (PIPE, "SICK", 30),
        (FLAGS, "CRASH", 1),
        (PIPE, "CRASH", 32),
    ];
    let app = App::new("bad");
    let v1 = pushed(&app, &app.image("v1"), "v1");
    let done = run(shell(FLAGS, &app, &v1.name), None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    let live = app.id("");
    for (script, how, code) in ways {
        let bad = pushed(&app, &app.image("bad").env(how, "1"), "bad");
        let load = Load::start(app.addr(), "/", 100);
        let mut sh = shell(script, &app, &bad.name);
        sh.env("WITHIN", "2s");
        let failed = run(sh, None).unwrap();
        let seen = load.stop();
        assert_eq!(failed.code, code, "{failed:?}");
        if script == PIPE {
            assert_eq!(failed.json().unwrap()["error"]["code"], code);
        }
        assert_eq!(seen.failed(), 0, "{:?} of {}", seen.kinds(), seen.sent());
        assert_eq!(seen.versions(), ["v1"]);
        app.assert_untouched(&live, &v1);
        assert_eq!(app.present(), [""]);
    }
}

#[test]
fn an_image_that_is_not_there_fails_before_anything_is_started() {
    for script in [FLAGS, PIPE] {
        let app = App::new("typo");
        let host = registry::shared().unwrap().host();
        let image = format!("{host}/{}:nowhere", app.name());
        let failed = run(shell(script, &app, &image), None).unwrap();
        assert_eq!(failed.code, 10, "{failed:?}");
        assert!(app.present().is_empty());
    }
}

#[test]
fn what_goes_live_is_what_was_verified_although_the_tag_moved() {
    let app = App::new("moved");
    let verified = pushed(&app, &app.image("v1"), "live");
    let move_tag = |version: &str| {
        let other = app.image(version).build(&verified.name).unwrap();
        other.push().unwrap();
        assert_ne!(other.id, verified.id);
    };
    let step = |script: &str, from: &str| {
        let done = run(shell(script, &app, &verified.name), Some(from)).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
        done.stdout
    };
    let pulled = step(r#"pull-image "$IMAGE""#, "");
    move_tag("after the pull");
    let start = r#"start-candidate --from - --app "$APP" --publish "$PORT:8080""#;
    let started = step(start, &pulled);
    move_tag("after the start");
    let probed = step("probe-health --from -", &started);
    move_tag("after the probe");
    step("promote --from -", &probed);
    let live = app.container("").unwrap();
    assert_eq!(live["Image"], verified.id.as_str());
    assert_eq!(app.answer(), "v1");
    assert_eq!(app.present(), [""]);
}

#[test]
fn without_reports_too_the_tag_may_move_once_the_candidate_is_started() {
    let app = App::new("moved-later");
    let verified = pushed(&app, &app.image("v1"), "live");
    let script = |script: &str| {
        let done = run(shell(script, &app, &verified.name), None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
    };
    script(
        r#"set -eu; pull-image "$IMAGE"; start-candidate --app "$APP" --image "$IMAGE" -p "$PORT:8080""#,
    );
    let other = app.image("v2").build(&verified.name).unwrap();
    other.push().unwrap();
    script(r#"set -eu; probe-health --app "$APP"; promote --app "$APP"; prune-app --app "$APP""#);
    assert_eq!(app.container("").unwrap()["Image"], verified.id.as_str());
    assert_eq!(app.answer(), "v1");
}

#[test]
fn five_releases_in_a_row_keep_the_images_bounded() {
    let app = App::new("five");
    let label = format!("label=app={}", app.name());
    let mut counts = Vec::new();
    for version in ["v1", "v2", "v3", "v4", "v5"] {
        let image = pushed(&app, &app.image(version), version);
        let done = run(shell(PIPE, &app, &image.name), None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
        app.assert_live(&image);
        let images = docker(["image", "ls", "-aq", "--filter", &label]).unwrap();
        counts.push(images.lines().count());
    }
    // The live one, the one before, and the newest other.
    assert_eq!(counts, [1, 2, 3, 3, 3]);
}

#[test]
fn a_release_that_needs_time_to_boot_waits_beside_the_live_one() {
    let app = App::new("boot");
    let v1 = pushed(&app, &app.image("v1"), "v1");
    let v2 = pushed(&app, &app.image("v2").env("BOOT_MS", "1500"), "v2");
    assert_eq!(run(shell(PIPE, &app, &v1.name), None).unwrap().code, 0);
    let load = Load::start(app.addr(), "/", 100);
    let done = run(shell(PIPE, &app, &v2.name), None).unwrap();
    thread::sleep(Duration::from_millis(300));
    let seen = load.stop();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(seen.versions(), ["v1", "v2"], "{:?}", seen.kinds());
    app.assert_live(&v2);
}
