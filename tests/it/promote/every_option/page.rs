//! The page with the table of options, held against the engine's own help.

use std::collections::BTreeMap;
use std::fs;

use stage::cargo;
use stage::ground::on_podman;

use super::options_of_help;

/// Options that some engines' help does not have: they are newer, or another system's.
const NOT_EVERYWHERE: [&str; 12] = [
    "annotation",
    "cpu-count",
    "cpu-percent",
    "disable-content-trust",
    "gpus",
    "health-start-interval",
    "io-maxbandwidth",
    "io-maxiops",
    "isolation",
    "kernel-memory",
    "quiet",
    "use-api-socket",
];

/// What the page says of an option.
pub(super) struct Said {
    /// What a release has of the live container's.
    pub(super) of_live: String,
    /// What becomes of one that is given.
    pub(super) given: String,
}

/// The rows of the page's table, by their options.
pub(super) fn page() -> BTreeMap<String, Said> {
    let page = fs::read_to_string(cargo::workspace().join("docs/run-options.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `--"));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let rows = rows.filter(|cells| cells.len() == 5);
    rows.map(|cells| {
        let said = Said {
            of_live: cells[1].to_owned(),
            given: cells[2].to_owned(),
        };
        (cells[0].trim_end_matches('`').to_owned(), said)
    })
    .collect()
}

#[test]
fn every_option_of_the_engines_help_has_its_row_on_the_page_and_no_other_has() {
    let (page, known) = (page(), options_of_help("run"));
    let without: Vec<_> = known.iter().filter(|it| !page.contains_key(*it)).collect();
    // Podman has options that docker has not.
    assert!(on_podman() || without.is_empty(), "no row: {without:?}");
    let is_odd = |it: &&String| !known.contains(*it) && !NOT_EVERYWHERE.contains(&it.as_str());
    let odd: Vec<_> = page.keys().filter(is_odd).collect();
    assert!(on_podman() || odd.is_empty(), "no such option: {odd:?}");
}
