//! The baton: a report on its way through the steps, whole, failed, damaged or hostile.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stage::docker::{Scope, inspect};
use stage::image::Image;
use stage::marks::Marks;
use stage::process::scrub;
use stage::steps::run;

use super::{STEPS, asked, chain, done, failed, published, pushed, step};

#[test]
fn a_whole_chain_needs_only_what_the_first_step_is_told() {
    let scope = Scope::new("chain");
    let image = pushed(&scope);
    let reports = chain(&scope, &image);
    for ((name, _), report) in STEPS.iter().zip(&reports) {
        assert_eq!(report["step"], *name);
        assert_eq!(report["app"], scope.app(), "{report}");
    }
    for report in &reports[..4] {
        assert_eq!(report["image"], image, "{report}");
        assert_eq!(report["image_id"], reports[0]["image_id"], "{report}");
        assert_eq!(report["digest"], reports[0]["digest"], "{report}");
    }
    assert_eq!(reports[1]["candidate_id"], reports[2]["candidate_id"]);
    let live = inspect(scope.app()).unwrap().unwrap();
    assert_eq!(live["State"]["Status"], "running");
    assert_eq!(live["Image"], reports[0]["image_id"]);
    assert!(inspect(&scope.candidate()).unwrap().is_none());
}

/// The five programs in one line of shell, as a person would write it.
fn pipeline(scope: &Scope, image: &str) -> (i32, String, String) {
    let bin = stage::cargo::steps().unwrap().display();
    let app = scope.app();
    let publish = published().concat();
    let script = format!(
        "{bin}/pull-image {image} --app {app} --attempts 1 | {bin}/start-candidate --from - {publish} | {bin}/probe-health --from - | {bin}/promote --from - | {bin}/prune-app --from -"
    );
    let mut shell = Command::new("sh");
    scrub(&mut shell).args(["-c", &script]).stdin(Stdio::null());
    let out = shell.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        out.status.code().unwrap(),
        text(out.stdout),
        text(out.stderr),
    )
}

#[test]
fn a_pipeline_in_a_shell_ends_with_one_report() {
    let scope = Scope::new("pipe");
    let image = pushed(&scope);
    let (code, stdout, stderr) = pipeline(&scope, &image);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["step"], "prune-app");
    assert!(inspect(scope.app()).unwrap().is_some());
}

#[test]
fn a_failure_passes_through_the_pipeline_with_its_code_and_nothing_is_done() {
    let scope = Scope::new("pipefail");
    let host = stage::registry::shared().unwrap().host();
    let image = format!("{host}/{}:none", scope.app());
    let (code, stdout, stderr) = pipeline(&scope, &image);
    assert_eq!(code, 10, "{stdout}{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["step"], "pull-image");
    assert_eq!(report["error"]["kind"], "image_not_found");
    for name in [scope.app(), &scope.candidate()] {
        assert!(inspect(name).unwrap().is_none());
    }
}

#[test]
fn a_flag_wins_over_the_baton_and_the_baton_over_nothing() {
    let scope = Scope::new("wins");
    let tag = format!("{}:v1", scope.app());
    Image::of(scope.app()).build(&tag).unwrap();
    let marks = Marks::candidate(scope.app(), &tag).unwrap();
    let words = ["-p", "127.0.0.1::8080", &tag];
    marks.run(&scope.candidate(), &words).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let report = json!({"ok": true, "app": "somebody-else", "probe": {"path": "/nowhere"}});
    fs::write(&file, report.to_string()).unwrap();
    let ask = |args: &[&str]| {
        let mut command = step("probe-health").unwrap();
        command.arg("--from").arg(&file).args(args);
        asked(command)
    };
    let message = failed(&ask(&[]), 31, "no_container")["error"]["message"].clone();
    assert!(message.as_str().unwrap().contains("somebody-else-new"));
    let own = ["--app", scope.app(), "--within", "2s"];
    let seen = failed(&ask(&own), 30, "unhealthy");
    assert_eq!(seen["last_attempts"][0]["saw"], "status 404", "{seen}");
    let report = done(&ask(&[&own[..], &["--path", "/"]].concat()));
    assert_eq!(report["app"], scope.app());
    assert_eq!(report["probe"]["path"], "/");
}

#[test]
fn a_failed_report_passes_through_every_step_as_it_is() {
    let failure = r#"{"step":"other","ok":false,"error":{"code":77,"kind":"x"},"odd":[1, 2]}"#;
    for (name, _) in STEPS {
        let mut command = step(name).unwrap();
        command.args(["--from", "-", "--docker", "/nowhere/docker"]);
        let run = run(command, Some(failure)).unwrap();
        assert_eq!(run.code, 77, "{name}: {run:?}");
        assert_eq!(run.stdout, format!("{failure}\n"), "{name}");
        assert_eq!(run.stderr, "", "{name}");
    }
}

/// What is no report, or one that no step has written.
fn damaged() -> Vec<String> {
    let whole = r#"{"step":"pull-image","ok":true,"app":"web","image":"web:v1","took_ms":5}"#;
    let mut all: Vec<String> = [
        "",
        "\n",
        "garbage",
        "null",
        "[]",
        "{}",
        r#"{"ok":"true"}"#,
        r#"{"ok":true}{"ok":true}"#,
        r#"{"ok":true,"app":["web"]}"#,
        r#"{"ok":true,"app":"--privileged"}"#,
        r#"{"ok":true,"app":"web\n::error::x"}"#,
        r#"{"ok":true,"container":"../web"}"#,
        r#"{"ok":true,"candidate":"$(reboot)"}"#,
        r#"{"ok":true,"candidate_id":"5ca9"}"#,
        r#"{"ok":true,"image":"-v/:/host"}"#,
        r#"{"ok":true,"image_id":"web web"}"#,
        r#"{"ok":true,"probe":{"port":99999}}"#,
        r#"{"ok":true,"probe":{"expect_status":"0-999"}}"#,
        r#"{"ok":true,"probe":{"path":"@192.0.2.1/"}}"#,
        r#"{"ok":true,"probe":{"path":"/x\n::error::x"}}"#,
        r#"{"ok":false}"#,
        r#"{"ok":false,"error":{"code":0}}"#,
        r#"{"ok":false,"error":{"code":256}}"#,
        r#"{"ok":false,"error":{"code":-1}}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(whole[..whole.len() / 2].to_owned());
    all.push("[".repeat(100_000));
    all.push(format!(
        r#"{{"ok":true,"app":"web","pad":"{}"}}"#,
        "x".repeat(5 << 20)
    ));
    all
}

#[test]
fn damaged_and_hostile_reports_are_6_in_every_step() {
    for (name, _) in STEPS {
        for text in damaged() {
            let mut command = step(name).unwrap();
            command.args(["--from", "-", "--docker", "/nowhere/docker"]);
            let run = run(command, Some(&text)).unwrap();
            let report = failed(&run, 6, "from_unreadable");
            assert_eq!(report["step"], name);
            assert!(run.stdout.len() + run.stderr.len() < 4000, "{name}");
            let lines = run.stderr.lines();
            assert!(
                !lines.into_iter().any(|line| line.starts_with("::")),
                "{run:?}"
            );
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_6() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary");
    fs::write(&binary, [0xff, 0xfe, 0, 1]).unwrap();
    for (name, _) in STEPS {
        for file in [folder.path(), &folder.path().join("none"), &binary] {
            let mut command = step(name).unwrap();
            command.arg("--from").arg(file);
            let report = failed(&asked(command), 6, "from_unreadable");
            let message = report["error"]["message"].as_str().unwrap();
            assert!(message.contains(file.to_str().unwrap()), "{message}");
        }
    }
}

#[test]
fn a_good_report_that_lacks_what_the_step_needs_is_a_usage_error() {
    for (name, _) in STEPS {
        let mut command = step(name).unwrap();
        command.args(["--from", "-"]);
        let run = run(command, Some(r#"{"ok":true}"#)).unwrap();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}: {run:?}");
    }
}

#[test]
fn what_a_runner_would_read_as_a_command_never_reaches_stdout() {
    let failure = r###"{"step":"x","ok":false,"error":{"code":12,"message":"##[error]x"}}"###;
    let mut command = step("promote").unwrap();
    command.args(["--from", "-"]);
    let run = run(command, Some(failure)).unwrap();
    assert_eq!(run.code, 12);
    assert!(!run.stdout.contains("##["), "{run:?}");
    assert_eq!(run.json().unwrap()["error"]["message"], "##[error]x");
}
