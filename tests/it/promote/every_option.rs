//! Every option of `docker create --help`: a candidate that the engine made with it goes live as it is.
//!
//! An engine rewrites what it shows of a container as it starts. Which fields, depends on its version, on the kernel's
//! cgroups and on the option, so all options are tried and none may be taken for a change of the candidate.

mod carried;
mod columns;
mod page;
mod table;
mod updated;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use stage::docker::docker;
use stage::effort;
use stage::ground::{Cgroup, on_podman};

use self::table::{Expected, Ground, Row, rows};
use crate::support::{App, ok};

/// Fewer than this would say that the test tries the wrong thing: on docker 20.10 the kernel gives about 70.
const LEAST_GIVEN: usize = 55;

#[test]
fn a_candidate_with_any_option_or_all_of_them_goes_live_unchanged() {
    let ground = Ground::new("option");
    let known = options_of_help("create");
    let rows = rows(&ground);
    let has_row: BTreeSet<&str> = rows.iter().map(|row| row.option).collect();
    let without = known.iter().filter(|it| !has_row.contains(it.as_str()));
    // Podman has options that docker has not.
    let without: Vec<_> = without.filter(|_| !on_podman()).collect();
    assert!(
        without.is_empty(),
        "options without a row in the table: {without:?}"
    );

    let stride = effort::of([8, 1, 1]);
    let rows = rows.iter().filter(|row| known.contains(row.option));
    let rows = rows.step_by(stride);
    let (given, not_given): (Vec<&Row>, Vec<&Row>) =
        rows.partition(|row| goes_live_with(&ground, row));
    let names = |rows: &[&Row]| {
        rows.iter()
            .map(|row| row.option)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (version, without) = (Cgroup::here(), names(&not_given));
    let _ = writeln!(
        io::stderr(),
        "not to be had with cgroup {version}: {without}"
    );
    let least = LEAST_GIVEN / stride;
    assert!(given.len() >= least, "only {}", names(&given));

    let together = given.iter().filter(|row| row.goes_with_others);
    let words: Vec<String> = together.flat_map(|row| row.words.clone()).collect();
    let app = App::new("options");
    ok(&candidate(&app, &ground, &words));
    promoted(&app, &ground, "all", 0);
}

/// Whether the option could be tried: an engine that refuses it by itself can have no candidate with it.
fn goes_live_with(ground: &Ground, row: &Row) -> bool {
    let app = App::new("option");
    let started = candidate(&app, ground, &row.words);
    match row.expected {
        Expected::Refused => assert_eq!(started.code, 22, "{}: {started:?}", row.option),
        Expected::Promoted(_) if started.code != 0 => {
            assert!(
                !engine_gives(ground, &row.words),
                "{}: {started:?}",
                row.option
            );
            return false;
        }
        Expected::Promoted(code) => promoted(&app, ground, row.option, code),
    }
    true
}

/// Whether the engine itself creates and starts a container with these words.
fn engine_gives(ground: &Ground, words: &[String]) -> bool {
    let app = App::new("plain");
    let name = ["create", "--name", app.name()].map(str::to_owned);
    let image = ground.image.name.clone();
    let created = docker(name.iter().chain(words).chain([&image]));
    created.is_ok() && docker(["start", app.name()]).is_ok()
}

fn promoted(app: &App, ground: &Ground, option: &str, code: i32) {
    ok(&app.step("probe-health", &ground.probe()));
    let run = app.promote(&ground.probe());
    assert_eq!(run.code, code, "{option}: {run:?}");
}

fn candidate(app: &App, ground: &Ground, words: &[String]) -> stage::process::Run {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let flags = ["--image", &ground.image.name, "--"];
    app.step("start-candidate", &[&flags, &words[..]].concat())
}

/// The long names, as the CLI's help has them.
fn options_of_help(command: &str) -> BTreeSet<String> {
    let help = docker([command, "--help"]).unwrap();
    let words = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let long = line
            .split_once("--")
            .filter(|(short, _)| short.is_empty() || is_short(short));
        let name = long?.1.split([' ', '=', ',']).next()?;
        Some(name.to_owned())
    });
    let all: BTreeSet<String> = words.filter(|name| !name.is_empty()).collect();
    assert!(all.contains("env") && all.contains("memory"), "{help}");
    all
}

/// `-e, `
fn is_short(word: &str) -> bool {
    word.len() == 4 && word.starts_with('-') && word.ends_with(", ")
}

/// The first disk of this machine.
fn disk() -> Option<String> {
    let mut all: Vec<String> = std::fs::read_dir("/sys/block")
        .ok()?
        .flatten()
        .map(|entry| format!("/dev/{}", entry.file_name().display()))
        .filter(|path| Path::new(path).exists())
        .collect();
    all.sort();
    all.pop()
}
