//! Which room of `step` and `promote` may use which, and that no files of a step or of `xtask` use each other in a
//! circle.
//! `cargo test -p tests --test house` prints the counts.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// The rooms from the top down, each with those below it that it uses. A room is a folder with the file of its name,
/// or a file alone.
const PROMOTE: &str = "\
    main: promote heir bridge
    promote: strategy heir promotion cgroup state failure report args
    heir: swap traffic promotion cgroup environment state failure report args
    strategy: rerun swap preflight bridge network promotion state failure report args
    rerun: swap preflight bridge promotion state failure report
    swap: preflight bridge traffic network promotion failure report args restart log_file
    preflight: network promotion failure
    failure: bridge report
    bridge: traffic network cgroup environment
    traffic: report
    promotion: cgroup args
    args: restart log_file
    network: cgroup: environment: state: report: restart: log_file:";

const STEP: &str = "\
    contract: ownership recipe engine terminal model exit_code role signals time text
    health: ownership engine terminal model signals time text
    ownership: recipe engine host model text
    recipe: engine model text
    engine: host model exit_code role signals time text
    host: terminal model signals text
    terminal: text
    model: text
    exit_code: join: role: signals: time: text:";

/// The files of a crate by their paths below `src` without `.rs`, and the code in each: without comments and unit
/// tests, and without the files that are nothing but tests.
fn files(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for path in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        let name = path.strip_prefix(root).unwrap().with_extension("");
        let name = name.to_str().unwrap().to_owned();
        if path.is_dir() {
            files(root, &path, found);
        } else if !name.contains("properties") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code.lines().map(str::trim_start);
            let lines: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
            found.insert(name, lines.join(" "));
        }
    }
}

/// The paths at the beginning of `text`: `a::b`, or of a group `a::{b, c::d}` each.
fn paths(text: &str) -> Vec<String> {
    let is_in_path = |c: char| c.is_alphanumeric() || "_:".contains(c);
    let end = text.find(|c| !is_in_path(c)).unwrap_or(text.len());
    let (stem, rest) = text.split_at(end);
    let group = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split('}').next());
    let members = group.unwrap_or_default().split(',');
    members
        .map(|it| format!("{stem}{}", it.trim()).replace("::", "/"))
        .collect()
}

fn is_root(name: &str) -> bool {
    matches!(name, "main" | "lib")
}

/// What a file uses: by `crate::` and `super::`, and by the names of its own folder's files.
fn used(name: &str, files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let own = if is_root(name) {
        String::new()
    } else {
        format!("{name}/")
    };
    let above = name
        .rsplit_once('/')
        .map_or(String::new(), |(above, _)| format!("{above}/"));
    let inside = files
        .keys()
        .filter(|it| !is_root(it))
        .filter_map(|it| it.strip_prefix(&own));
    let inside = inside
        .filter(|it| !it.contains('/'))
        .map(|it| (it, own.as_str(), it));
    let starts = [("crate", "", ""), ("super", above.as_str(), "")];
    let mut found = BTreeSet::new();
    for (word, folder, child) in starts.into_iter().chain(inside) {
        for (at, start) in files[name].match_indices(&format!("{word}::")) {
            let before = files[name][..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || "_:".contains(c)) {
                continue;
            }
            for path in paths(&files[name][at + start.len()..]) {
                let full = format!("{folder}{child}/{path}").replace("//", "/");
                let full = full.trim_start_matches('/');
                // The longest beginning of it that is a file.
                let mut ends: Vec<usize> = full.match_indices('/').map(|(at, _)| at).collect();
                ends.push(full.len());
                let mut begins = ends.iter().rev().map(|end| &full[..*end]);
                let file = begins.find(|it| files.contains_key(*it));
                // What is in no file of its own is in the root.
                let root = || files.keys().map(String::as_str).find(|it| is_root(it));
                found.extend(file.or_else(root).map(str::to_owned));
            }
        }
    }
    found.remove(name);
    found
}

/// The files that use each other in a circle: what is left when those that use nothing, or that nothing uses, are taken
/// away again and again.
fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut left: BTreeSet<String> = uses.keys().cloned().collect();
    loop {
        let is_used = |file: &String| left.iter().any(|other| uses[other].contains(file));
        let is_end = |file: &&String| uses[*file].is_disjoint(&left) || !is_used(file);
        let ends: Vec<String> = left.iter().filter(is_end).cloned().collect();
        if ends.is_empty() {
            return left;
        }
        left.retain(|file| !ends.contains(file));
    }
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

fn check(name: &str, listed: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name(name)
        .join("src");
    let mut found = BTreeMap::new();
    files(&root, &root, &mut found);
    let uses = found.keys().map(|file| (file.clone(), used(file, &found)));
    let uses: BTreeMap<String, BTreeSet<String>> = uses.collect();
    let arrows = uses
        .iter()
        .flat_map(|(file, used)| used.iter().map(|it| (room(file), room(it))));
    let arrows: BTreeSet<(&str, &str)> = arrows.filter(|(from, to)| from != to).collect();
    let (mut rooms, mut allowed) = (Vec::new(), BTreeSet::new());
    for word in listed.split_whitespace() {
        match word.strip_suffix(':') {
            Some(room) => rooms.push(room),
            None => drop(allowed.insert((*rooms.last().unwrap(), word))),
        }
    }
    let floor = |room: &str| rooms.iter().position(|it| *it == room);
    let up: Vec<_> = arrows
        .iter()
        .filter(|(from, to)| floor(from) >= floor(to))
        .collect();
    let circles = circles(&uses);
    let (files, imports) = (uses.len(), uses.values().map(BTreeSet::len).sum::<usize>());
    let (many, up_many, in_circles) = (arrows.len(), up.len(), circles.len());
    let mut counts =
        format!("{name}: {files} files, {imports} imports, {in_circles} files in circles");
    if !rooms.is_empty() {
        counts += &format!(
            "; {} rooms, {many} arrows between them, {up_many} of them up",
            rooms.len()
        );
    }
    writeln!(io::stdout(), "{counts}").unwrap();
    assert!(circles.is_empty(), "{name}, in a circle: {circles:?}");
    // The root declares all files, so whatever uses it is in a circle with it.
    let of_root = uses.iter().filter(|it| it.1.iter().any(|it| is_root(it)));
    let of_root: Vec<&String> = of_root.map(|it| it.0).collect();
    assert!(of_root.is_empty(), "{name}, of the root: {of_root:?}");
    if !rooms.is_empty() {
        let differ: Vec<_> = arrows.symmetric_difference(&allowed).collect();
        assert!(
            differ.is_empty(),
            "{name}, either used or listed, but not both: {differ:?}"
        );
        assert!(up.is_empty(), "{name}, up by the order of the list: {up:?}");
    }
}

#[test]
fn rooms_of_step_use_only_rooms_below_them() {
    check("step", STEP);
}

#[test]
fn rooms_of_promote_use_only_rooms_below_them() {
    check("promote", PROMOTE);
}

#[test]
fn no_files_of_the_other_steps_or_of_xtask_use_each_other_in_a_circle() {
    let steps = ["pull-image", "start-candidate", "probe-health", "prune-app"];
    for name in steps.into_iter().chain(["xtask"]) {
        check(name, "");
    }
}
