//! `--previous`: the way back to the release that the live container replaced.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use stage::docker::docker;
use stage::image::Built;
use stage::process::scrub;
use stage::registry;
use stage::steps::run;

use super::{nothing_left, recipe};
use crate::repository::Repository;
use crate::support::{App, failed, ok};

#[test]
fn without_a_container_or_without_a_release_that_it_replaced_it_is_20() {
    let app = App::new("first");
    let image = app.build("v1");
    failed(
        &app.step("start-candidate", &["--previous"]),
        20,
        "image_absent",
    );
    nothing_left(&app);
    docker(["run", "-d", "--name", app.name(), &image.name]).unwrap();
    failed(
        &app.step("start-candidate", &["--previous"]),
        20,
        "image_absent",
    );
    assert_eq!(app.present(), [""]);
}

#[test]
fn it_takes_image_ports_options_and_command_of_the_release_before() {
    let app = App::new("back");
    let (first, second) = (app.build("v1"), app.build("v2"));
    app.deploy(&first, &["-e", "WHO=me", "--", "one"]);
    app.deploy(&second, &["-e", "WHO=me"]);
    app.assert_live(&second);
    let report = ok(&app.step("start-candidate", &["--previous", "--deploy-id", "9"]));
    assert_eq!(report["image"], first.name.as_str());
    assert_eq!(report["image_id"], first.id.as_str());
    assert_eq!(report["publish"], json!([format!("{}:8080", app.port)]));
    assert_eq!(report["deploy_id"], 9);
    let candidate = app.container("-new").unwrap();
    assert_eq!(candidate["Image"], first.id.as_str());
    assert_eq!(recipe(&candidate)["options"], json!(["-e", "WHO"]));
    assert_eq!(variable(&candidate, "WHO"), Some("me"));
    assert_eq!(report["values_from_live"], json!(["WHO"]));
    assert_eq!(candidate["Config"]["Cmd"], json!(["one"]));
    app.prove_candidate();
}

/// The value of a container's variable; the last of a name counts.
fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let env = container["Config"]["Env"].as_array()?.iter();
    let pairs = env.filter_map(|pair| pair.as_str()?.split_once('='));
    pairs
        .filter(|(it, _)| *it == name)
        .map(|(_, value)| value)
        .next_back()
}

#[test]
fn a_value_that_is_nowhere_is_27_by_its_name_and_promote_had_said_so() {
    let app = App::new("gone");
    let (first, second) = (app.build("v1"), app.build("v2"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.env");
    fs::write(&file, "FROM_FILE=hunter2-file\n").unwrap();
    let path = file.to_str().unwrap();
    let given = [
        "-e",
        "DB_PASSWORD=hunter2-given",
        "-e",
        "BOTH=1",
        "--env-file",
        path,
    ];
    let report = app.deploy(&first, &given);
    assert!(report.get("way_back").is_none(), "{report}");
    let report = app.deploy(&second, &["-e", "BOTH=2"]);
    assert_eq!(
        report["way_back"],
        json!({"open": false, "missing": ["BOTH", "DB_PASSWORD"]})
    );
    fs::remove_file(&file).unwrap();
    let run = app.step("start-candidate", &["--previous"]);
    let report = failed(&run, 27, "values_gone");
    assert_eq!(report["missing"], json!(["BOTH", "DB_PASSWORD", path]));
    let message = format!(
        "the release before needs values that are nowhere any more: BOTH, DB_PASSWORD, {path}"
    );
    assert_eq!(report["error"]["message"], message);
    let hint = "give that release's run options again: `start-candidate --previous … -- OPTIONS`";
    assert_eq!(report["error"]["hint"], hint);
    assert_eq!(app.present(), [""]);
    let again = ["--previous", "--", "-e", "DB_PASSWORD=hunter2-again"];
    let report = ok(&app.step("start-candidate", &again));
    assert!(report.get("values_from_live").is_none(), "{report}");
    let candidate = app.container("-new").unwrap();
    assert_eq!(candidate["Image"], first.id.as_str());
    assert_eq!(variable(&candidate, "DB_PASSWORD"), Some("hunter2-again"));
}

#[test]
fn a_release_that_a_person_started_is_27_until_its_options_are_given() {
    let app = App::new("byhand");
    let (first, second) = (app.build("v1"), app.build("v2"));
    let port = format!("{}:8080", app.port);
    let by_hand = ["run", "-d", "-e", "MODE=safe", "--memory=64m", "-p", &port];
    docker([&by_hand[..], &["--name", app.name(), &first.name]].concat()).unwrap();
    let report = app.deploy(&second, &[]);
    let missing = json!(["the run options"]);
    assert_eq!(
        report["way_back"],
        json!({"open": false, "missing": missing})
    );
    let run = app.step("start-candidate", &["--previous"]);
    let report = failed(&run, 27, "values_gone");
    assert_eq!(report["missing"], missing);
    assert_eq!(app.present(), [""]);
    for (options, mode) in [(&["-e", "MODE=safe"][..], Some("safe")), (&["--"], None)] {
        let flags = ["--previous", "--replace", "--"];
        ok(&app.step("start-candidate", &[&flags[..], options].concat()));
        let candidate = app.container("-new").unwrap();
        assert_eq!(candidate["Image"], first.id.as_str());
        assert_eq!(variable(&candidate, "MODE"), mode);
    }
}

#[test]
fn what_a_process_handed_on_to_one_release_is_not_what_the_release_before_had() {
    let app = App::new("handed");
    let (first, second) = (app.build("v1"), app.build("v2"));
    let port = format!("{}:8080", app.port);
    let start = |flags: &[&str], key: &str| {
        let step = app.command("start-candidate", flags);
        let mut bash = Command::new("bash");
        let script = "exec \"$0\" \"$@\" -- --env-file <(echo \"KEY=$KEY\")";
        scrub(&mut bash)
            .args(["-c", script])
            .arg(step.get_program());
        bash.args(step.get_args()).env("KEY", key);
        ok(&run(bash, None).unwrap())
    };
    start(&["--image", &first.name, "-p", &port], "old");
    app.prove_candidate();
    ok(&app.promote(&[]));
    start(&["--image", &second.name], "new");
    app.prove_candidate();
    let report = ok(&app.promote(&[]));
    let [file] = &report["way_back"]["missing"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    assert!(file.as_str().unwrap().starts_with("/dev/fd/"), "{report}");
    let run = app.step("start-candidate", &["--previous"]);
    assert_eq!(failed(&run, 27, "values_gone")["missing"], json!([file]));
    // Of the live one itself nobody else was handed it.
    let like = ["--like-live", "--image", &second.name];
    let report = ok(&app.step("start-candidate", &like));
    assert_eq!(report["values_from_live"], json!([file]));
    let candidate = app.container("-new").unwrap();
    assert_eq!(variable(&candidate, "KEY"), Some("new"));
    start(&["--previous", "--replace"], "old");
    let candidate = app.container("-new").unwrap();
    assert_eq!(candidate["Image"], first.id.as_str());
    assert_eq!(variable(&candidate, "KEY"), Some("old"));
}

#[test]
fn an_env_file_that_is_gone_comes_from_the_live_container_that_was_made_with_it() {
    let app = App::new("lent");
    let (first, second) = (app.build("v1"), app.build("v2"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.env");
    let path = file.to_str().unwrap();
    fs::write(&file, "A=hunter2-a\nVERSION=v1\n").unwrap();
    app.deploy(&first, &["--env-file", path]);
    fs::write(&file, "A=hunter2-b\n").unwrap();
    app.deploy(&second, &["--env-file", path, "-e", "ONLY_SECOND=x"]);
    fs::remove_file(&file).unwrap();
    let run = app.step("start-candidate", &["--previous"]);
    let report = ok(&run);
    assert_eq!(report["values_from_live"], json!([path]));
    assert!(run.stderr.contains(path), "{run:?}");
    let candidate = app.container("-new").unwrap();
    assert_eq!(recipe(&candidate)["options"], json!(["--env-file", path]));
    assert_eq!(variable(&candidate, "A"), Some("hunter2-b"));
    assert_eq!(variable(&candidate, "VERSION"), Some("v1"));
    assert_eq!(variable(&candidate, "ONLY_SECOND"), None);
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.assert_live(&first);
}

#[test]
fn a_variable_of_the_callers_comes_from_the_caller_or_else_from_the_live_container() {
    let app = App::new("callers");
    let (first, second) = (app.build("v1"), app.build("v2"));
    let start = |flags: &[&str], token: Option<&str>| {
        let mut command = app.command("start-candidate", flags);
        command
            .env_remove("TOKEN")
            .env_remove("UNSET")
            .envs(token.map(|it| ("TOKEN", it)));
        ok(&run(command, None).unwrap())
    };
    for (image, token) in [(&first, "first"), (&second, "second")] {
        let port = format!("{}:8080", app.port);
        start(
            &[
                "--image",
                &image.name,
                "-p",
                &port,
                "--",
                "-e",
                "TOKEN",
                "-e",
                "UNSET",
            ],
            Some(token),
        );
        app.prove_candidate();
        let promoted = app.step("promote", &[]);
        ok(&promoted);
    }
    for (token, expected, lent) in [
        (Some("third"), "third", json!(null)),
        (None, "second", json!(["TOKEN"])),
    ] {
        let report = start(&["--previous", "--replace"], token);
        assert_eq!(report["values_from_live"], lent);
        let candidate = app.container("-new").unwrap();
        assert_eq!(variable(&candidate, "TOKEN"), Some(expected));
        assert_eq!(variable(&candidate, "UNSET"), None);
    }
}

#[test]
fn the_digest_of_the_release_before_is_known_although_the_tag_has_moved_on_from_its_image() {
    let app = App::new("moved");
    let repository = format!("{}/{}", registry::shared().unwrap().host(), app.name());
    let name = format!("{repository}:latest");
    let deploy = |version: &str| {
        let built = app
            .image(version)
            .build(&format!("{repository}:{version}"))
            .unwrap();
        built.push().unwrap();
        let there = Repository::of(&repository);
        there.copy(version, "latest");
        docker(["image", "rm", "-f", &built.id]).unwrap();
        // By nothing that would keep a name for it.
        docker(["pull", &name]).unwrap();
        app.deploy(
            &Built {
                id: built.id,
                name: name.clone(),
            },
            &[],
        );
        there.digest(version)
    };
    let digest = deploy("v1");
    deploy("v2");
    let report = ok(&app.step("start-candidate", &["--previous"]));
    assert_eq!(report["digest"], digest);
    assert_eq!(recipe(&app.container("-new").unwrap())["digest"], digest);
}

#[test]
fn an_image_of_the_release_before_that_is_gone_is_20() {
    let app = App::new("pruned");
    let (first, second) = (app.build("v1"), app.build("v2"));
    app.deploy(&first, &[]);
    app.deploy(&second, &[]);
    docker(["image", "rm", "-f", &first.id]).unwrap();
    failed(
        &app.step("start-candidate", &["--previous"]),
        20,
        "image_absent",
    );
    app.assert_live(&second);
}
