//! Links lead somewhere, and the map has every folder of the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tests::cargo;

use super::ARCHITECTURE;
use super::prose::{pages, text};

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
