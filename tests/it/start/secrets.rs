//! Values of options, environment and env files are in no stream of any step, whatever fails.

use std::fs;
use std::path::PathBuf;

use stage::docker::docker;
use stage::ground::on_podman;
use stage::image::Built;
use stage::skipped::skip;
use stage::steps::Run;

use super::nothing_left;
use crate::support::{App, failed, ok, text};

const SECRET: &str = "hunter2";

fn hidden(run: &Run) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains(SECRET), "{run:?}");
}

fn start(app: &App, image: &Built, options: &[&str]) -> Run {
    let publish = format!("{}:8080", app.port);
    let flags = ["--image", &image.name, "-p", &publish, "--"];
    app.step("start-candidate", &[&flags, options].concat())
}

fn env_file(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("app.env");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_whole_deployment_says_nothing_of_them() {
    let app = App::new("hush");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    let file = env_file(&folder, "# who\nD=hunter2-d\nVERSION=v1\n");
    let file = format!("--env-file={}", file.display());
    let options = ["-e", "A=hunter2-a", "--env=B=hunter2-b", "-eC=hunter2-c"];
    let more = [&file, "--label", "x=hunter2-x", "-h", "hunter2-h"];
    let run = start(&app, &image, &[&options[..], &more].concat());
    hidden(&run);
    ok(&run);
    let again = start(&app, &image, &options);
    hidden(&again);
    failed(&again, 21, "candidate_exists");
    for (step, flags) in [
        ("probe-health", &[][..]),
        ("promote", &[]),
        ("probe-health", &["--live"]),
        ("prune-app", &["--candidate"]),
    ] {
        let run = app.step(step, flags);
        hidden(&run);
        ok(&run);
    }
    app.assert_live(&image);
}

#[test]
fn the_engines_own_complaints_are_shown_without_them() {
    let app = App::new("complain");
    let image = app.build("v1");
    // Podman looks for networks as it creates, and for folders as it starts.
    let (early, late) = if on_podman() { (22, 24) } else { (24, 22) };
    let cases: [(i32, &[&str]); 18] = [
        (22, &["--memory", "hunter2"]),
        (22, &["--memory=hunter2"]),
        (22, &["-mhunter2"]),
        (22, &["-itmhunter2"]),
        (22, &["--ulimit", "hunter2"]),
        (22, &["--add-host", "hunter2"]),
        (22, &["-v", "hunter2/x:y"]),
        (22, &["-vhunter2/x:y"]),
        (22, &["--mount", "type=hunter2,dst=/x"]),
        (late, &["--workdir", "hunter2"]),
        (22, &["--log-driver", "hunter2"]),
        (22, &["-e", "A=hunter2", "--no-such=hunter2"]),
        (22, &["hunter2"]),
        (22, &["--cpus", "hunter2\"quoted\\"]),
        (24, &["--user", "hunter2"]),
        (early, &["--network", "hunter2"]),
        (24, &["--entrypoint", "/hunter2"]),
        (late, &["-w/padding/hunter2"]),
    ];
    for (code, options) in cases {
        let run = start(&app, &image, options);
        hidden(&run);
        let kind = if code == 22 {
            "option_refused"
        } else {
            "not_started"
        };
        failed(&run, code, kind);
        nothing_left(&app);
    }
}

/// What `start-candidate` says of run options.
fn said(app: &App, image: &Built, options: &[&str]) -> String {
    let run = start(app, image, options);
    let report = failed(
        &run,
        run.code,
        if run.code == 22 {
            "option_refused"
        } else {
            "not_started"
        },
    );
    nothing_left(app);
    text(&report["error"]["message"]).to_owned()
}

#[test]
fn a_complaint_says_which_option_file_and_line_and_no_word_of_it_is_lost() {
    if on_podman() {
        return skip("the sentences are docker's");
    }
    let app = App::new("sentence");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    let file = env_file(&folder, "DEBUG=1\nLEVEL=e\nZONE=a\nN=o\n");
    let file = file.to_str().unwrap();
    let common = [
        "--env-file",
        file,
        "-e",
        "MODE=response",
        "-e",
        "WORD=minimum-allowed",
    ];
    let with = |options: &[&str]| said(&app, &image, &[&common[..], options].concat());
    let memory = with(&["--memory", "1k"]);
    let begins = "not allowed: Error response from daemon: Minimum memory limit allowed is ";
    assert!(memory.starts_with(begins), "{memory}");
    let exact = [
        (
            &["--network", "nosuch-net"][..],
            "network <--network> not found",
        ),
        (
            &["--memory", "plenty"],
            "not allowed: the value of --memory is malformed: invalid size: '<--memory>'",
        ),
        (
            &["--no-such=hunter2"],
            "not allowed: the engine's client knows no option --no-such",
        ),
        (
            &["--env-file", "/no/such.env"],
            "not allowed: the file of --env-file does not exist: /no/such.env",
        ),
    ];
    for (options, expected) in exact {
        let message = with(options);
        assert!(message.ends_with(expected), "{options:?}: {message}");
    }
    let file = env_file(&folder, "A=1\nbad name=hunter2\n");
    let message = said(&app, &image, &["--env-file", file.to_str().unwrap()]);
    let expected = format!(
        "not allowed: line 2 of {} has white space in its name",
        file.display()
    );
    assert_eq!(message, expected);
    fs::write(&file, b"A=1\nB=2\nC=\xe9hunter2\n").unwrap();
    let message = said(&app, &image, &["--env-file", file.to_str().unwrap()]);
    let expected = format!("not allowed: line 3 of {} is not in UTF-8", file.display());
    assert_eq!(message, expected);
}

#[test]
fn a_malformed_env_file_is_not_quoted() {
    let app = App::new("malformed");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    for (text, code, kind) in [
        ("bad name=hunter2\n", 22, "option_refused"),
        ("hunter2 and more\n", 22, "option_refused"),
        ("=hunter2\n", 22, "option_refused"),
        ("A=\0hunter2", 24, "not_started"),
    ] {
        let file = env_file(&folder, text);
        let run = start(&app, &image, &["--env-file", file.to_str().unwrap()]);
        hidden(&run);
        if on_podman() && !text.starts_with('=') {
            // It takes such names and values.
            ok(&run);
            docker(["rm", "-f", &app.scope.candidate()]).unwrap();
            continue;
        }
        failed(&run, code, kind);
        nothing_left(&app);
    }
}

/// A candidate that prints its secrets and ends, and what the probe says of it.
fn printed(options: &[&str]) -> Run {
    let app = App::new("print");
    let image = app.build("v1");
    ok(&start(
        &app,
        &image,
        &[options, &["-e", "CRASH=1"]].concat(),
    ));
    let run = app.step("probe-health", &[]);
    hidden(&run);
    let report = failed(&run, 32, "crashed");
    assert!(report.to_string().contains("***"), "{report}");
    assert!(report.to_string().contains("told to crash"), "{report}");
    run
}

#[test]
fn a_crashing_app_that_prints_them_does_not_get_them_into_a_log() {
    printed(&["-e", "LOG=hunter2-in-the-log"]);
    printed(&["-eLOG=hunter2\"quoted\""]);
    let folder = tempfile::tempdir().unwrap();
    let file = env_file(&folder, "LOG=hunter2 from a file\n");
    printed(&["--env-file", file.to_str().unwrap()]);
}

#[test]
fn a_secret_of_several_lines_is_hidden_line_by_line() {
    let key = "LOG=-----BEGIN KEY-----\nhunter2hunter2\nhunter2=\n-----END KEY-----";
    let run = printed(&["-e", key]);
    assert!(!run.stdout.contains("BEGIN KEY"), "{run:?}");
}
