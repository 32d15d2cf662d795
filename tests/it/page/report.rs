//! The page of collected reports in a real browser: whatever an app has said, it is text and nothing else.

use std::fs;

use serde_json::{Value, json};
use stage::image::Built;
use stage::registry;
use stage::steps::{self, Run, step};

use super::look;
use crate::support::App;

/// What an app may say that means no good to a page.
const EVIL: &str = "</pre></title><script>evil = 1; parent.evil = 1</script><img src=x onerror=evil=1>\" onload='evil=1' &{{body}}\u{202e}\u{1b}[31m";

/// The page that xtask makes of these lines, and what it said on stdout.
fn drawn(lines: &str) -> (String, Run) {
    let folder = tempfile::tempdir().unwrap();
    let (file, page) = (
        folder.path().join("web.jsonl"),
        folder.path().join("r.html"),
    );
    fs::write(&file, lines).unwrap();
    let mut xtask = step("xtask").unwrap();
    xtask.arg("report").arg("--page").arg(&page).arg(&file);
    let said = steps::run(xtask, None).unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    (fs::read_to_string(page).unwrap(), said)
}

/// A month of an app that means no good: a release a day, every fifth refused.
fn month(app: &str) -> String {
    let deployment = |day: usize| {
        let bad = day % 5 == 4;
        let image = format!("ghcr.io/acme/{app}:v{day}");
        let error = json!({"code": 32, "kind": EVIL, "message": EVIL, "hint": EVIL});
        let last = match bad {
            true => json!({"step": "probe-health", "ok": false, "took_ms": 2500, "error": error,
                "log": [EVIL, EVIL.repeat(50)], "last_attempts": [{"at_ms": 3, "saw": EVIL}], EVIL: {EVIL: EVIL}}),
            false => json!({"step": "promote", "ok": true, "image": image, "took_ms": 1500 + day,
                "swap": {"bridge": "off", "bridge_off_because": EVIL, "probes": 40, "failed": day % 3, "longest_gap_ms": 20 * day}}),
        };
        let line = json!({"pipeline": "deploy", "ok": !bad, "app": app, "exit_code": 0, "steps": [
            {"step": "pull-image", "ok": true, "image": image, "took_ms": 300}, last],
            "at": format!("2026-11-{:02}T08:00:00Z", day + 1), "took_ms": 3000});
        format!("{line}\n")
    };
    (0..30).map(deployment).collect()
}

#[test]
fn the_page_of_a_month_fits_a_phone_and_a_desk_and_nothing_in_it_is_more_than_text() {
    let lines = [month("web"), month(EVIL), "no report\n".to_owned()].concat();
    let (page, said) = drawn(&lines);
    assert!(
        said.stdout.contains("Lines that are no report: 1"),
        "{said:?}"
    );
    for foreign in ["<script", "<img", "@import", "url(http"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let mut papers = Vec::new();
    for dark in [false, true] {
        let (told, console) = look(&page, dark).unwrap();
        assert_eq!(console, Vec::<String>::new());
        for (seen, width) in told.iter().zip([360, 1280]) {
            assert_eq!(
                (&seen["width"], &seen["content"]),
                (&width.into(), &width.into()),
                "{width}"
            );
            assert_eq!(seen["outside"], json!([]), "texts leave their chart");
            // The page's own script is the one that tells this.
            assert_eq!(
                (&seen["scripts"], &seen["evil"]),
                (&1.into(), &false.into())
            );
            assert_eq!(seen["dark"], dark);
            let text = seen["text"].as_str().unwrap();
            for part in [
                "60 deployments: 48 went live, 12 failed.",
                "onerror=evil=1>",
                "\\u{202e}\\u{1b}[31m",
            ] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        assert_eq!(told.len(), 2);
        papers.push(told[0]["paper"].clone());
    }
    assert_ne!(papers[0], papers[1], "dark is as light as light");
}

#[test]
fn what_really_happened_is_on_the_page() {
    let app = App::new("history");
    let host = registry::shared().unwrap().host();
    let pushed = |version: &str, crash: &str| -> Built {
        let image = app.image(version).env("CRASH", crash);
        let built = image
            .build(&format!("{host}/{}:{version}", app.name()))
            .unwrap();
        built.push().unwrap();
        built
    };
    let deploy = |image: &Built| {
        let mut xtask = step("xtask").unwrap();
        let publish = format!("--publish={}:8080", app.port);
        xtask.args([
            "deploy",
            "--app",
            app.name(),
            &publish,
            "--replace",
            &image.name,
        ]);
        steps::run(xtask, None).unwrap().stdout
    };
    let (v1, bad, v2) = (pushed("v1", ""), pushed("bad", "1"), pushed("v2", ""));
    let mut lines = [&v1, &bad, &v2].map(deploy).concat();
    // A failed step by itself, as a script collects it.
    lines += &app.step("probe-health", &[]).stdout;
    let gap = lines
        .lines()
        .nth(2)
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let gap = &gap.unwrap()["steps"][3]["swap"]["longest_gap_ms"];
    let (page, said) = drawn(&lines);
    assert!(said.stdout.contains("live now"), "{said:?}");
    for part in [
        "4 deployments: 2 went live, 2 failed.",
        &format!("{}:v2", app.name()),
        "probe-health ended with 32 (crashed)",
        "| fatal: told to crash at the start",
        "The candidate was removed",
        "probe-health ended with 31 (no_container)",
        &format!("{gap} ms, 0 of "),
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn nothing_to_draw_is_an_error_and_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("r.html");
    let mut xtask = step("xtask").unwrap();
    xtask.arg("report").arg("--page").arg(&page).arg("-");
    let said = steps::run(xtask, Some("hello\n{}\n")).unwrap();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("none of 2 lines"), "{said:?}");
    assert!(!page.exists());
}
