//! Links lead somewhere, and the map has every folder of the sources and every topic of the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use stage::cargo;

use super::prose::{pages, text};
use super::{ARCHITECTURE, files};

/// A heading as links spell it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    let heading: String = heading.to_lowercase().chars().filter(kept).collect();
    heading.trim().replace(' ', "-")
}

#[test]
fn every_link_on_every_page_leads_to_a_file_and_to_a_heading_in_it() {
    let mut links = 0;
    for page in pages() {
        let path = cargo::workspace().join(&page);
        let text = text(&page);
        for link in text.split("](").skip(1) {
            let link = link.split_once(')').unwrap().0;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            assert!(target.is_file(), "{page}: {link}");
            let there = fs::read_to_string(target).unwrap();
            let mut headings = there.lines().filter(|line| line.starts_with('#'));
            let found = heading.is_empty() || headings.any(|it| anchor(it) == heading);
            assert!(found, "{page}: {link}");
            links += 1;
        }
    }
    assert!(links > 50, "{links}");
}

/// The folders of sources, from the workspace.
fn folders(at: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            folders(&path, into);
        }
    }
    let from_root = at.strip_prefix(cargo::workspace()).unwrap();
    into.insert(from_root.to_str().unwrap().to_owned());
}

/// A row for each crate and each of its rooms; what is further inside is named in the room's row.
fn is_in(map: &str, folder: &str) -> bool {
    let mut parts = folder.splitn(4, '/');
    let room: Vec<&str> = parts.by_ref().take(3).collect();
    let row = format!("| `{}` |", room.join("/"));
    let inner = parts.next().unwrap_or_default().split('/');
    let names: Vec<String> = inner.map(|name| format!("`{name}/`")).collect();
    let mut rows = map.lines().filter(|line| line.starts_with(&row));
    rows.any(|line| folder.matches('/').count() < 3 || names.iter().all(|it| line.contains(it)))
}

#[test]
fn the_map_has_every_folder_of_sources_and_no_other() {
    let (map, mut all) = (text(ARCHITECTURE), BTreeSet::new());
    for entry in fs::read_dir(cargo::workspace()).unwrap() {
        let sources = entry.unwrap().path().join("src");
        if sources.is_dir() {
            folders(&sources, &mut all);
        }
    }
    assert!(all.len() > 20, "{all:?}");
    let missing: Vec<_> = all.iter().filter(|it| !is_in(&map, it)).collect();
    let rows = map.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|line| line.split_once("` |"));
    let of_sources = rows.filter(|(path, _)| path.contains("/src"));
    let gone = of_sources.filter(|(path, _)| !cargo::workspace().join(path).is_dir());
    let gone: Vec<&str> = gone.map(|(path, _)| path).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "the map lacks {missing:?}, and has {gone:?}, which are not there"
    );
}

/// The folders of the map, each with what its last column says.
fn tested(map: &str) -> Vec<(&str, &str)> {
    let mut parts = map.split("\n## ");
    let of_map = parts.find(|it| it.starts_with("Map\n")).unwrap();
    let rows = of_map.lines().map(|row| row.split(" | ").collect());
    let folders = rows.filter_map(|row: Vec<&str>| match row[..] {
        [folder, _, by] if folder.contains('`') => Some((folder, by)),
        _ => None,
    });
    folders.collect()
}

/// The modules of the end-to-end tests that have tests.
fn topics() -> BTreeSet<String> {
    let folder = cargo::workspace().join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    let names = main.lines().filter_map(|it| it.strip_prefix("mod "));
    let names = names.map(|it| it.trim_end_matches(';'));
    let has_tests = |name: &&str| {
        let mut sources = vec![folder.join(format!("{name}.rs"))];
        if folder.join(name).is_dir() {
            files(&folder.join(name), ".rs", &mut sources);
        }
        let mut sources = sources.iter().map(|it| fs::read_to_string(it).unwrap());
        sources.any(|it| it.contains("#[test]\n"))
    };
    names.filter(has_tests).map(str::to_owned).collect()
}

#[test]
fn the_map_says_which_topic_tests_each_folder_and_names_every_topic() {
    let (map, topics) = (text(ARCHITECTURE), topics());
    let (mut named, folders) = (BTreeSet::new(), tested(&map));
    assert!(topics.len() > 30 && folders.len() > 40, "{topics:?}");
    for (folder, by) in folders {
        let names = by.split('`').filter_map(|it| it.strip_suffix("::"));
        let names: Vec<String> = names.map(str::to_owned).collect();
        assert!(!names.is_empty() || by == "itself |", "{folder}: {by}");
        named.extend(names);
    }
    let differ: Vec<_> = named.symmetric_difference(&topics).collect();
    assert!(
        differ.is_empty(),
        "either a topic or in the map, but not both: {differ:?}"
    );
}
