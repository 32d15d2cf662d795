//! What the pages show of the commands' output, held against what they print; numbers and ids may differ.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use stage::cargo;
use stage::image::Image;
use stage::process::{Run, run_within};
use stage::registry;
use stage::steps::{run, step};

use super::{CODES, README, only};
use crate::pipeline::{pushed, shell};
use crate::support::{App, eventually, ok};

/// One app in the place of the page's `web`.
struct Page {
    app: App,
    folder: tempfile::TempDir,
}

impl Page {
    fn new(prefix: &str) -> Page {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("env"), "SHAPE=round\n").unwrap();
        Page {
            app: App::new(prefix),
            folder,
        }
    }

    fn push(&self, version: &str, change: impl Fn(Image) -> Image) -> String {
        pushed(&self.app, &change(self.app.image(version)), version).name
    }

    /// The words of the page and what they stand for here.
    fn pairs(&self) -> [(&'static str, String); 4] {
        let env = self.folder.path().join("env");
        [
            ("/etc/web.env", env.display().to_string()),
            (
                "127.0.0.1:5000",
                registry::shared().unwrap().host().to_owned(),
            ),
            ("80:8080", format!("{}:8080", self.app.port)),
            ("web", self.app.name().to_owned()),
        ]
    }

    /// Runs the command of a box; what it shows must be what comes.
    fn compare(&self, text: &str, code: i32) {
        let (command, shown) = text.split_once('\n').unwrap();
        let mut script = command.strip_prefix("$ ").unwrap().to_owned();
        for (there, here) in self.pairs() {
            script = script.replace(there, &here);
        }
        let done = run(shell(&script, &self.app, ""), None).unwrap();
        assert_eq!(done.code, code, "{done:?}");
        let mut came = done.stderr + &done.stdout;
        for (there, here) in self.pairs() {
            came = came.replace(&here, there);
        }
        let (shown, came) = (shown.trim_end().lines(), came.trim_end().lines());
        assert_eq!(shown.clone().count(), came.clone().count(), "{command}");
        for (shown, came) in shown.zip(came) {
            match serde_json::from_str::<Value>(shown) {
                Ok(shown) => same(&shown, &serde_json::from_str(came).unwrap(), command),
                Err(_) => assert!(reads_like(shown, came), "{command}\n{shown}\n{came}"),
            }
        }
    }
}

/// The same keys and the same words; of the last attempts, how many there are is a matter of time.
fn same(shown: &Value, came: &Value, at: &str) {
    match (shown, came) {
        (Value::Object(shown), Value::Object(came)) => {
            let keys =
                |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(shown), keys(came), "{at}");
            for (key, value) in shown {
                let last = |it: &Value| {
                    it.as_array()
                        .and_then(|it| it.last())
                        .cloned()
                        .unwrap_or_default()
                };
                match key.as_str() {
                    "last_attempts" => same(&last(value), &last(&came[key]), key),
                    _ => same(value, &came[key], &format!("{at} {key}")),
                }
            }
        }
        (Value::Array(shown), Value::Array(came)) => {
            assert_eq!(shown.len(), came.len(), "{at}: {came:?}");
            shown.iter().zip(came).for_each(|(a, b)| same(a, b, at));
        }
        (Value::Number(_), Value::Number(_)) => {}
        (Value::String(shown), Value::String(came)) => {
            assert!(reads_like(shown, came), "{at}: {shown:?}, {came:?}");
        }
        (shown, came) => assert_eq!(shown, came, "{at}"),
    }
}

/// Whether a text is what a page shows, with `…` for anything, and other numbers.
fn reads_like(shown: &str, came: &str) -> bool {
    let shown = without_numbers(&without_ids(shown));
    let came = without_numbers(came);
    let Some((first, rest)) = shown.split_once('…') else {
        return shown == came;
    };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    let Some(mut left) = came
        .strip_prefix(first)
        .and_then(|it| it.strip_suffix(last))
    else {
        return false;
    };
    parts.iter().all(|part| match left.split_once(part) {
        Some((_, after)) => {
            left = after;
            true
        }
        None => false,
    })
}

/// A shortened id is as good as `…`.
fn without_ids(text: &str) -> String {
    let parts: Vec<&str> = text.split('…').collect();
    let last = parts.len() - 1;
    let cut = parts.iter().enumerate().map(|(at, part)| {
        let start = part.len().saturating_sub(8);
        match part.get(start..) {
            Some(id) if at < last && id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit()) => {
                &part[..start]
            }
            _ => part,
        }
    });
    cut.collect::<Vec<_>>().join("…")
}

/// Each number is a 0.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            c => out.push(c),
        }
    }
    out
}

fn console(page: &str, command: &str) -> String {
    only(page, "console", &format!("$ {command} "))
}

#[test]
fn other_numbers_and_ids_read_alike_and_nothing_else_does() {
    let id = "0123456789abcdef".repeat(4);
    let came = format!("web is {id}, took 1234 ms");
    assert!(reads_like("web is 82b97c26…, took 5 ms", &came));
    assert!(reads_like("web … ms", &came));
    for wrong in [
        "web was 82b97c26…, took 5 ms",
        "web is … s",
        "web",
        "…x…",
        "web is 1",
    ] {
        assert!(!reads_like(wrong, &came), "{wrong}");
    }
}

#[test]
fn what_the_commands_print_is_what_the_page_shows() {
    let page = Page::new("consoles");
    let [v1, _, v3] = ["v1", "v2", "v3"].map(|version| page.push(version, |image| image));
    let release = |image: &str| {
        ok(&page.app.step("pull-image", &[image]));
        let publish = format!("{}:8080", page.app.port);
        ok(&page.app.step(
            "start-candidate",
            &["--image", image, "--publish", &publish],
        ));
        ok(&page.app.step("probe-health", &[]));
    };
    release(&v1);
    ok(&page.app.promote(&[]));
    for command in ["pull-image", "start-candidate", "probe-health", "promote"] {
        page.compare(&console(README, command), 0);
    }
    release(&v3);
    ok(&page.app.promote(&[]));
    page.compare(&console(README, "prune-app"), 0);
}

#[test]
fn a_failure_is_printed_as_the_page_shows_it() {
    let page = Page::new("failure");
    let image = page.push("v1", |image| image.env("CRASH", "1"));
    ok(&page.app.step("pull-image", &[&image]));
    ok(&page.app.step("start-candidate", &["--image", &image]));
    eventually("it has crashed", || {
        page.app.container("-new").unwrap()["State"]["Status"] == "exited"
    });
    page.compare(&console(CODES, "probe-health"), 32);
}

#[test]
fn the_demo_tells_the_story_that_the_page_shows() {
    let mut demo: Command = step("xtask").unwrap();
    demo.arg("demo");
    let told: Run = run_within(&mut demo, None, Duration::from_secs(400)).unwrap();
    assert_eq!(told.code, 0, "{told:?}");
    let shown = only(README, "text", "An app on port");
    for (shown, told) in shown.trim_end().lines().zip(told.stdout.lines()) {
        let (told, picture) = match told.rsplit_once("/target/") {
            Some((_, file)) => ("A picture of it: target/".to_owned() + file, true),
            None => (told.to_owned(), false),
        };
        assert!(reads_like(shown, &told), "{shown}\n{told}");
        assert!(!picture || cargo::target_dir().unwrap().join("demo.html").is_file());
    }
    assert!(told.stdout.lines().count() >= shown.trim_end().lines().count());
}
