//! `--like-live`: what the caller does not give is the live container's, whoever made that.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use stage::docker::docker;
use stage::ground::on_podman;
use stage::image::Built;
use stage::skipped::skip;

use super::recipe;
use crate::support::{App, failed, ok};

/// Of a candidate that takes the stale one's place.
fn start(app: &App, image: &Built, words: &[&str]) -> stage::process::Run {
    let flags = ["--replace", "--image", &image.name];
    app.step("start-candidate", &[&flags[..], words].concat())
}

fn run_by_hand(app: &App, image: &Built, options: &[&str], command: &[&str]) {
    let first = ["run", "-d", "--name", app.name()];
    let words = [&first[..], options, &[&image.name], command].concat();
    docker(words).unwrap();
}

fn env(app: &App, name: &str) -> Option<String> {
    let candidate = app.container("-new").unwrap();
    let all = candidate["Config"]["Env"].as_array().unwrap();
    let mut found = all.iter().filter_map(|it| it.as_str()?.split_once('='));
    let found = found.rfind(|(it, _)| *it == name);
    found.map(|(_, value)| value.to_owned())
}

#[test]
fn a_container_of_a_person_is_read_back_without_what_its_image_brings_and_values_are_in_no_label() {
    let app = App::new("like");
    let image = |version: &str| {
        let image = app.image(version).env("LEVEL", version);
        app.tagged(&image.change(&format!("LABEL release={version}")), version)
    };
    let (v1, v2) = (image("v1"), image("v2"));
    let options = [
        "-e",
        "TOKEN=hunter2-token",
        "-e",
        "COLOR=blue",
        "-l",
        "tier=web",
        "--oom-score-adj=10",
    ];
    run_by_hand(&app, &v1, &options, &["one", "two"]);
    let run = start(&app, &v2, &["--like-live", "--", "-e", "COLOR=green"]);
    let report = ok(&run);
    assert_eq!(report["values_from_live"], json!(["TOKEN"]));
    assert!(report.get("not_carried").is_none(), "{report}");
    let of = |name: &str| env(&app, name);
    assert_eq!(of("TOKEN").as_deref(), Some("hunter2-token"));
    assert_eq!(of("COLOR").as_deref(), Some("green"));
    assert_eq!(of("LEVEL").as_deref(), Some("v2"), "the image's own");
    let candidate = app.container("-new").unwrap();
    assert_eq!(candidate["Config"]["Cmd"], json!(["one", "two"]));
    let labels = &candidate["Config"]["Labels"];
    assert_eq!(
        (&labels["tier"], &labels["release"]),
        (&json!("web"), &json!("v2"))
    );
    let all = format!("{labels} {} {}", run.stdout, run.stderr);
    assert!(!all.contains("hunter2"), "{all}");
    assert!(!all.contains("blue"), "{all}");
}

#[test]
fn a_container_of_the_steps_has_its_recipe_with_the_values_that_it_has() {
    let app = App::new("again");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.env");
    fs::write(&file, "FROM_FILE=hunter2-file\n").unwrap();
    let path = file.to_str().unwrap();
    let given = [
        "-e",
        "WHO=me",
        "--env-file",
        path,
        "--cap-add=NET_ADMIN",
        "--",
        "one",
    ];
    app.deploy(&v1, &given);
    let report = ok(&start(
        &app,
        &v2,
        &["--like-live", "--", "--cap-add=SYS_TIME"],
    ));
    assert_eq!(report["values_from_live"], json!(["WHO"]));
    let candidate = app.container("-new").unwrap();
    let expected = json!([
        "-e",
        "WHO",
        "--env-file",
        path,
        "--cap-add=NET_ADMIN",
        "--cap-add=SYS_TIME"
    ]);
    assert_eq!(recipe(&candidate)["options"], expected);
    assert_eq!(recipe(&candidate)["command"], json!(["one"]));
    assert_eq!(env(&app, "WHO").as_deref(), Some("me"));
    assert_eq!(env(&app, "FROM_FILE").as_deref(), Some("hunter2-file"));

    let other = folder.path().join("other.env");
    fs::write(&other, "WHO=other\n").unwrap();
    let words = ["--like-live", "--", "--env-file", other.to_str().unwrap()];
    let report = ok(&start(&app, &v2, &words));
    assert!(report.get("values_from_live").is_none(), "{report}");
    assert_eq!(env(&app, "WHO").as_deref(), Some("other"));
    assert_eq!(env(&app, "FROM_FILE").as_deref(), Some("hunter2-file"));
}

#[test]
fn without_any_run_options_what_will_be_gone_is_named_without_values() {
    let app = App::new("gone");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let options = [
        "-e",
        "TOKEN=hunter2",
        "-l",
        "tier=web",
        "--init",
        "-h",
        "box",
        "--stop-timeout=3",
    ];
    run_by_hand(&app, &v1, &options, &["one"]);
    let names = |report: &Value| {
        let all = report["not_carried"].as_array().unwrap().iter();
        let mut all: Vec<&str> = all.map(|it| it.as_str().unwrap()).collect();
        all.sort_unstable();
        all.join(", ")
    };
    let expected = "--env TOKEN, --hostname, --init, --label tier, the command";
    for words in [&[][..], &["--publish", &format!("{}:8080", app.port)]] {
        let run = start(&app, &v2, words);
        assert_eq!(names(&ok(&run)), expected);
        for said in ["--env TOKEN", "--like-live", "the command"] {
            assert_eq!(run.stderr.matches(said).count(), 1, "{run:?}");
        }
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
    }
    let beside = start(&app, &v2, &["--", "--init", "-e", "TOKEN=x", "-h", "crate"]);
    assert_eq!(names(&ok(&beside)), "--label tier, the command");
    assert!(beside.stderr.contains("--label tier"), "{beside:?}");
    let report = ok(&start(&app, &v2, &["--like-live"]));
    assert!(report.get("not_carried").is_none(), "{report}");
    app.prove_candidate();
    ok(&app.promote(&[]));
    assert_eq!(
        names(&ok(&start(&app, &v2, &[]))),
        expected,
        "of one of the steps"
    );
    let report = ok(&start(&app, &v2, &["--", "--init"]));
    assert!(
        report.get("not_carried").is_none(),
        "the others were left out: {report}"
    );
}

#[test]
fn what_the_candidate_has_without_being_given_it_is_not_said_to_be_gone() {
    if on_podman() {
        return skip("podman reads no proxies from docker's settings");
    }
    let app = App::new("proxies");
    let (v1, v2) = (
        app.build("v1"),
        app.tagged(&app.image("v2").env("KEY", "image"), "v2"),
    );
    let settings = tempfile::tempdir().unwrap();
    let proxies = r#"{"proxies": {"default": {"httpProxy": "http://127.0.0.1:9"}}}"#;
    fs::write(settings.path().join("config.json"), proxies).unwrap();
    let mut by_hand = Command::new("docker");
    by_hand.args([
        "run",
        "-d",
        "-e",
        "KEY=mine",
        "--name",
        app.name(),
        &v1.name,
    ]);
    let config = ("DOCKER_CONFIG", settings.path());
    assert!(
        by_hand
            .env(config.0, config.1)
            .output()
            .unwrap()
            .status
            .success()
    );
    let flags = ["--replace", "--image", &v2.name];
    let mut command = app.command("start-candidate", &flags);
    command.env(config.0, config.1);
    let run = stage::steps::run(command, None).unwrap();
    // The image has a value of its own for it.
    assert_eq!(ok(&run)["not_carried"], json!(["--env KEY"]));
    assert!(!run.stderr.contains("PROXY"), "{run:?}");
    assert!(env(&app, "HTTP_PROXY").is_some());
    // Without those settings it has none.
    let report = ok(&start(&app, &v2, &[]));
    assert!(
        report["not_carried"].to_string().contains("HTTP_PROXY"),
        "{report}"
    );
}

#[test]
fn a_live_containers_image_that_is_gone_is_20_by_whose_image_it_is() {
    let app = App::new("imageless");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    run_by_hand(&app, &v1, &["-e", "A=b"], &[]);
    docker(["stop", "-t", "1", app.name()]).unwrap();
    if docker(["image", "rm", "-f", &v1.id]).is_err() {
        return skip("this engine keeps the image of every container");
    }
    let report = failed(&start(&app, &v2, &["--like-live"]), 20, "image_absent");
    let message = report["error"]["message"].to_string();
    assert!(
        message.contains(&format!("of {}, {}", app.name(), v1.name)),
        "{message}"
    );
}

#[test]
fn what_cannot_be_read_back_is_named_and_the_release_starts_without_it() {
    let app = App::new("unread");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("seccomp");
    fs::write(&profile, r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).unwrap();
    let seccomp = format!("seccomp={}", profile.display());
    run_by_hand(&app, &v1, &["--security-opt", &seccomp, "-e", "A=b"], &[]);
    let run = start(&app, &v2, &["--like-live"]);
    let report = ok(&run);
    assert_eq!(env(&app, "A").as_deref(), Some("b"));
    if on_podman() {
        // It shows the file's path, where docker shows what stands in it.
        let shown = &app.container("-new").unwrap()["HostConfig"]["SecurityOpt"];
        return assert_eq!(*shown, json!([seccomp]));
    }
    assert_eq!(report["not_carried"], json!(["--security-opt"]));
    assert!(run.stderr.contains("--security-opt"), "{run:?}");
}

#[test]
fn a_volume_is_still_refused_without_leave_and_without_a_live_container_nothing_is_otherwise() {
    let app = App::new("like");
    let (image, volume) = (app.build("v1"), format!("{}-data", app.name()));
    ok(&start(&app, &image, &["--like-live", "--", "-e", "A=b"]));
    assert_eq!(env(&app, "A").as_deref(), Some("b"));
    app.scope.at_end(["volume", "rm", "-f", &volume]);
    run_by_hand(&app, &image, &["-v", &format!("{volume}:/data")], &[]);
    failed(&start(&app, &image, &["--like-live"]), 23, "shared_volume");
    ok(&start(
        &app,
        &image,
        &["--like-live", "--allow-shared-volumes"],
    ));
    let candidate = app.container("-new").unwrap();
    assert_eq!(candidate["Mounts"][0]["Name"], volume.as_str());
    let other = format!("{volume}:/data:ro");
    ok(&start(&app, &image, &["--like-live", "--", "-v", &other]));
    assert_eq!(app.container("-new").unwrap()["Mounts"][0]["RW"], false);
}

#[test]
fn the_stop_timeout_is_the_live_containers_unless_one_is_given() {
    let app = App::new("grace");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    run_by_hand(&app, &v1, &["--stop-timeout=7"], &[]);
    let timeout = |end: &str| app.container(end).unwrap()["Config"]["StopTimeout"].clone();
    ok(&start(&app, &v2, &["--", "--stop-timeout=9"]));
    assert_eq!(timeout("-new"), 9);
    ok(&app.step("prune-app", &["--candidate"]));
    app.deploy(&v1, &[]);
    assert_eq!(timeout(""), 7);
    app.deploy(&v2, &["-e", "A=b"]);
    assert_eq!(timeout(""), 7);
}
