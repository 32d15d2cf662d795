//! The pages. Each box on them is run, compared with what really comes, or listed with the reason why it cannot be.

mod consoles;
mod machine;
mod map;
mod prose;
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use stage::cargo;

use Claim::{NotRun, RunBy};

const README: &str = "README.md";
const START: &str = "docs/getting-started.md";
const VM: &str = "xtask/vm/README.md";
/// The page for deployments by a CI's key.
pub(crate) const CI: &str = "docs/ci.md";
/// The page that says what each step needs.
pub(crate) const SECURITY: &str = "docs/security.md";
const CODES: &str = "docs/troubleshooting.md";
const BACK: &str = "docs/rolling-back.md";
const COSTS: &str = "docs/costs.md";
const ENGINES: &str = "docs/engines.md";
const ARCHITECTURE: &str = "docs/architecture.md";
const SCRIPT: &str = "docs/from-a-script.md";
const PROXY: &str = "docs/behind-a-proxy.md";
/// The page for those who outgrow one machine.
pub(crate) const SWARM: &str = "docs/outgrowing.md";
const ACTION: &str = ".github/actions/deploy/README.md";

const WORKFLOWS: &str = "actionlint_finds_nothing_in_the_workflows_and_in_the_examples";
const FROM_A_SCRIPT: &str =
    "from_the_script_to_the_steps_and_back_as_the_page_says_and_no_request_fails";
const FLAGS: &str = "every_flag_of_xtask_on_a_page_is_one_that_it_takes";
/// Takes the boxes of its VM from the page.
const OVER_SSH: &str = "releases_come_and_go_by_the_action_and_no_request_fails";
const CONSOLES: &str = "what_the_commands_print_is_what_the_page_shows";

/// What becomes of boxes.
enum Claim {
    /// This test runs them, or holds them against what is real.
    RunBy(&'static str),
    /// Nobody does, for this reason.
    NotRun(&'static str),
}

/// Page, kind, how its first line begins, how many of them there are.
const CLAIMS: [(&str, &str, &str, usize, Claim); 35] = [
    (README, "sh", "cargo xtask demo", 1, RunBy(FLAGS)),
    (ENGINES, "sh", "cargo xtask test", 1, RunBy(FLAGS)),
    (COSTS, "sh", "cargo xtask bench", 1, RunBy(FLAGS)),
    (
        README,
        "text",
        "An app on port",
        1,
        RunBy("the_demo_tells_the_story_that_the_page_shows"),
    ),
    (
        README,
        "sh",
        "cargo xtask dist",
        1,
        NotRun("it builds everything once more and copies it to another machine"),
    ),
    (
        START,
        "sh",
        "apt-get update",
        1,
        NotRun("it is for another machine, which it changes for good"),
    ),
    (
        README,
        "sh",
        "#!/bin/sh",
        1,
        RunBy("the_scripts_on_the_page_bring_release_after_release"),
    ),
    (
        START,
        "sh",
        "pull-image",
        1,
        RunBy("the_scripts_on_the_page_bring_release_after_release"),
    ),
    (
        BACK,
        "sh",
        "start-candidate",
        1,
        RunBy("the_scripts_on_the_page_bring_release_after_release"),
    ),
    (
        "docs/bridge.md",
        "text",
        "                    the engine translates",
        1,
        NotRun("it is a picture of what packets pass"),
    ),
    (
        ARCHITECTURE,
        "text",
        "  shell script",
        1,
        NotRun("it is a picture of the workspace"),
    ),
    (CI, "yaml", "on:", 1, RunBy(WORKFLOWS)),
    (README, "console", "$ pull-image", 1, RunBy(CONSOLES)),
    (README, "console", "$ start-candidate", 1, RunBy(CONSOLES)),
    (README, "console", "$ probe-health", 1, RunBy(CONSOLES)),
    (
        CODES,
        "console",
        "$ probe-health",
        1,
        RunBy("a_failure_is_printed_as_the_page_shows_it"),
    ),
    (README, "console", "$ promote", 1, RunBy(CONSOLES)),
    (README, "console", "$ prune-app", 1, RunBy(CONSOLES)),
    (
        VM,
        "sh",
        "deploy.sh web",
        1,
        RunBy("the_three_commands_of_the_vm_do_what_they_say"),
    ),
    (
        VM,
        "text",
        "ok    steps",
        1,
        RunBy("the_doctor_says_what_the_page_shows"),
    ),
    (
        CI,
        "sh",
        "useradd",
        1,
        RunBy("root_can_set_a_machine_up_for_the_key_as_the_page_says"),
    ),
    (CI, "authorized_keys", "restrict,", 1, RunBy(OVER_SSH)),
    (CI, "sudoers", "Defaults!", 1, RunBy(OVER_SSH)),
    (CI, "conf", "# ports", 1, RunBy(OVER_SSH)),
    (SCRIPT, "sh", "", 11, RunBy(FROM_A_SCRIPT)),
    (ACTION, "yaml", "# .github/workflows/", 2, RunBy(WORKFLOWS)),
    (
        PROXY,
        "sh",
        "docker network",
        1,
        RunBy("the_page_puts_a_release_live_under_its_alias"),
    ),
    (
        PROXY,
        "nginx",
        "resolver",
        1,
        RunBy("behind_nginx_nobody_notices_what_is_deployed"),
    ),
    (
        PROXY,
        "haproxy",
        "resolvers",
        1,
        RunBy("behind_haproxy_nobody_notices_what_is_deployed"),
    ),
    (
        SWARM,
        "sh",
        "#!/bin/sh",
        1,
        RunBy("a_fleet_of_vms_is_deployed_to_one_by_one_and_stops_at_the_first_that_refuses"),
    ),
    (
        SWARM,
        "sh",
        "systemctl enable",
        1,
        NotRun("it is for a machine with systemd and the package, which it changes"),
    ),
    (
        SWARM,
        "sh",
        "docker network",
        1,
        RunBy("the_page_puts_a_release_live_on_the_swarm"),
    ),
    (
        SWARM,
        "sh",
        "export DEPLOY_STEPS_SWARM",
        1,
        RunBy("the_page_puts_a_release_live_on_the_swarm"),
    ),
    (
        SWARM,
        "conf",
        "each --swarm",
        1,
        RunBy("deploy_sh_on_a_swarm_brings_releases_and_falls_back_from_a_sick_one"),
    ),
    (
        SWARM,
        "haproxy",
        "resolvers",
        1,
        RunBy("on_a_swarm_releases_come_and_go_and_no_request_fails"),
    ),
];

/// A fenced block.
struct Box {
    page: String,
    kind: String,
    text: String,
}

impl Box {
    fn is_claimed_by(
        &self,
        (page, kind, beginning, ..): &(&str, &str, &str, usize, Claim),
    ) -> bool {
        self.page == *page && self.kind == *kind && self.text.starts_with(beginning)
    }
}

/// All files below a folder of the repository whose names end so.
fn files(folder: &Path, end: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !["target", ".git", "corpus", "node_modules"].contains(&&*name) {
            files(&path, end, into);
        } else if name.ends_with(end) {
            into.push(path);
        }
    }
}

fn boxes() -> Vec<Box> {
    let root = cargo::workspace();
    let mut pages = Vec::new();
    files(root, ".md", &mut pages);
    let mut boxes = Vec::new();
    for path in pages {
        let text = format!("\n{}", fs::read_to_string(&path).unwrap());
        let page = path.strip_prefix(root).unwrap().to_str().unwrap();
        for block in text.split("\n```").skip(1).step_by(2) {
            let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
            boxes.push(Box {
                page: page.to_owned(),
                kind: kind.to_owned(),
                text: format!("{text}\n"),
            });
        }
    }
    boxes
}

/// The only box of a page that begins so.
pub(crate) fn only(page: &str, kind: &str, beginning: &str) -> String {
    let all = boxes().into_iter();
    let found =
        all.filter(|it| it.page == page && it.kind == kind && it.text.starts_with(beginning));
    let found: Vec<Box> = found.collect();
    assert_eq!(found.len(), 1, "{page}: {beginning}");
    found.into_iter().next().unwrap().text
}

#[test]
fn every_box_on_every_page_is_run_by_a_test_or_has_a_reason() {
    let boxes = boxes();
    for one in &boxes {
        let claims = CLAIMS.iter().filter(|claim| one.is_claimed_by(claim));
        assert_eq!(
            claims.count(),
            1,
            "{}: nobody, or more than one, runs this box: let a test run it and say so in CLAIMS\n{}",
            one.page,
            one.text
        );
    }
    for claim in &CLAIMS {
        let count = boxes.iter().filter(|it| it.is_claimed_by(claim)).count();
        assert_eq!(count, claim.3, "{}: {} {}", claim.0, claim.1, claim.2);
    }
}

/// Whether there is a test of this name.
fn is_test(name: &str) -> bool {
    static SOURCES: LazyLock<String> = LazyLock::new(|| {
        let mut paths = Vec::new();
        files(&cargo::workspace().join("tests/it"), ".rs", &mut paths);
        paths
            .iter()
            .map(|it| fs::read_to_string(it).unwrap())
            .collect()
    });
    SOURCES.contains(&format!("#[test]\nfn {name}() {{"))
}

#[test]
fn whoever_is_said_to_run_a_box_is_a_test() {
    for (page, _, _, _, claim) in &CLAIMS {
        match claim {
            RunBy(name) => assert!(is_test(name), "{page}: no test {name}"),
            NotRun(reason) => assert!(reason.len() > 20, "{page}: {reason}"),
        }
    }
}

/// Rows of the tables whose last column is headed so, and a sentence that ends in it.
#[test]
fn what_is_said_of_security_is_shown_by_tests() {
    let page = fs::read_to_string(cargo::workspace().join(SECURITY)).unwrap();
    let (mut shown, mut in_table) = (0, false);
    for line in page.lines() {
        let is_head = line.starts_with('|') && line.ends_with("| shown by |");
        in_table = is_head || in_table && line.starts_with('|');
        let is_row = in_table && !is_head && !line.starts_with("| ---");
        if !is_row && !line.ends_with(" shows it.") {
            continue;
        }
        let said = line.trim_end_matches(" shows it.").trim_end_matches(" |");
        let named = said.rsplit([':', '|']).next().unwrap();
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test is named: {line}");
        for name in names {
            assert!(is_test(name), "no test {name}: {line}");
            shown += 1;
        }
    }
    assert!(shown > 20, "{shown}");
    assert!(!is_test("what_is_said_of_security"));
}

#[test]
fn how_long_the_tests_take_is_said_alike_by_the_help_and_the_pages() {
    let mut xtask = stage::steps::step("xtask").unwrap();
    xtask.args(["test", "--help"]);
    let help = stage::steps::run(xtask, None).unwrap().stdout;
    // The help's lines break where a terminal's do.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let begins = help.find("A run takes about ").expect(&help);
    let says = help[begins..].split_inclusive(". ").next().unwrap().trim();
    for page in [README, ARCHITECTURE] {
        assert!(
            prose::text(page).contains(&format!("\n{says}\n")),
            "{page}: {says}"
        );
    }
}

/// Words of xtask, without starting what they ask for.
#[test]
fn every_flag_of_xtask_on_a_page_is_one_that_it_takes() {
    let mut lines = 0;
    for one in boxes().iter().filter(|it| it.kind == "sh") {
        for line in one
            .text
            .lines()
            .filter(|line| line.starts_with("cargo xtask "))
        {
            let line = line.split(" #").next().unwrap();
            let (ours, _) = line.split_once(" -- ").unwrap_or((line, ""));
            let mut xtask = stage::steps::step("xtask").unwrap();
            xtask.args(ours.split_whitespace().skip(2)).arg("--help");
            let said = stage::steps::run(xtask, None).unwrap();
            assert_eq!((said.code, &*said.stderr), (0, ""), "{line}");
            lines += 1;
        }
    }
    assert!(lines >= 7, "{lines}");
    let mut wrong = stage::steps::step("xtask").unwrap();
    wrong.args(["demo", "--no-such-flag", "--help"]);
    assert_eq!(stage::steps::run(wrong, None).unwrap().code, 2);
}
