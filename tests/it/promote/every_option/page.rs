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
    /// What the candidate has of it, and the final container.
    pub(super) on_both: [String; 2],
}

/// The rows of the page's tables, by what they are about, each with its cells.
fn tables() -> Vec<(String, Vec<String>)> {
    let page = fs::read_to_string(cargo::workspace().join("docs/run-options.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let mut cells = row.split(" | ").map(str::to_owned);
        Some((cells.next()?, cells.collect()))
    });
    rows.collect()
}

/// The rows of the table of options, by their options.
pub(super) fn page() -> BTreeMap<String, Said> {
    let rows = tables().into_iter();
    let options = rows.filter_map(|(about, cells)| {
        let option = about.strip_prefix("`--")?.strip_suffix('`')?.to_owned();
        let [of_live, given, candidate, last] = <[String; 4]>::try_from(cells).ok()?;
        let on_both = [candidate, last];
        let said = Said {
            of_live,
            given,
            on_both,
        };
        Some((option, said))
    });
    options.collect()
}

/// What the candidate and the final container have, by options, and by what has none.
pub(super) fn on_both() -> BTreeMap<String, [String; 2]> {
    let options = page()
        .into_iter()
        .map(|(option, said)| (option, said.on_both));
    let others = tables().into_iter().filter_map(|(about, cells)| {
        let [_, candidate, last] = <[String; 3]>::try_from(cells).ok()?;
        Some((about, [candidate, last]))
    });
    let others = others.filter(|(about, _)| !["what", "---"].contains(&&**about));
    options.chain(others).collect()
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
