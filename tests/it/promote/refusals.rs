//! What promote refuses before it touches anything.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use stage::docker::docker;
use stage::steps::{run, step};

use crate::support::{App, Fault, engine_at, eventually, failed, ok, text};

#[test]
fn without_a_candidate_there_is_nothing_to_promote() {
    let app = App::new("none");
    let report = failed(&app.promote(&[]), 40, "no_candidate");
    assert!(
        text(&report["error"]["message"]).contains("-new"),
        "{report}"
    );
    assert!(app.present().is_empty());
}

#[test]
fn a_candidate_that_is_sick_by_now_is_not_promoted() {
    let app = App::new("sick");
    let flags = tempfile::tempdir().unwrap();
    let mount = format!("{}:/flags:ro", flags.path().display());
    let (v1, v2) = (
        app.build("v1"),
        app.image("v2").env("SICK_FILE", "/flags/sick"),
    );
    let v2 = app.tagged(&v2, "v2");
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &["-v", &mount]);
    fs::write(flags.path().join("sick"), "").unwrap();
    let report = failed(&app.promote(&[]), 40, "no_candidate");
    assert!(
        text(&report["error"]["message"]).contains("503"),
        "{report}"
    );
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn a_candidate_that_has_ended_is_not_promoted() {
    let app = App::new("ended");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    docker(["kill", &app.scope.candidate()]).unwrap();
    let report = failed(&app.promote(&[]), 40, "no_candidate");
    let message = text(&report["error"]["message"]);
    assert!(message.contains("does not run any more"), "{message}");
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn a_candidate_that_is_not_the_one_that_was_probed_is_not_promoted() {
    let app = App::new("swapped");
    let (v1, v2, v3) = (app.build("v1"), app.build("v2"), app.build("v3"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    let probed = app.candidate(&v2, &[]);
    ok(&app.step("start-candidate", &["--image", &v3.name, "--replace"]));
    let promoted = run(app.command("promote", &["--from", "-"]), Some(&probed)).unwrap();
    failed(&promoted, 40, "no_candidate");
    assert!(
        promoted.stderr.contains("another container"),
        "{promoted:?}"
    );
    app.assert_untouched(&live, &v1);
    assert_eq!(app.container("-new").unwrap()["Image"], v3.id.as_str());
}

#[test]
fn a_container_that_only_has_the_candidates_name_is_not_promoted() {
    let app = App::new("stranger");
    let v1 = app.build("v1");
    let id = docker(["run", "-d", "--name", &app.scope.candidate(), &v1.name]).unwrap();
    let report = failed(&app.promote(&[]), 9, "name_taken");
    assert!(text(&report["error"]["message"]).contains(&id), "{report}");
    assert_eq!(app.present(), ["-new"]);
}

#[test]
fn while_one_promotion_runs_another_is_refused() {
    let app = App::new("locked");
    let go = tempfile::tempdir().unwrap();
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let at = go.path().display();
    let wait = format!("touch {at}/there; until [ -e {at}/go ]; do sleep 0.05; done");
    let mut first = app.faulty_promote(Fault::Before("rename", &wait), &[]);
    let first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut first = first.unwrap();
    eventually("the first promotion is under way", || {
        go.path().join("there").exists()
    });

    failed(&app.promote(&[]), 45, "locked");
    let start = ["--image", &v2.name, "--replace"];
    failed(
        &app.step("start-candidate", &start),
        25,
        "promotion_unfinished",
    );
    fs::write(go.path().join("go"), "").unwrap();
    assert!(first.wait().unwrap().success());
    app.assert_live(&v2);
}

#[test]
fn a_host_port_that_a_process_listens_on_is_refused_before_anything_is_touched() {
    let app = App::new("process");
    let v1 = app.build("v1");
    app.candidate(&v1, &[]);
    let listener = TcpListener::bind(("0.0.0.0", app.port)).unwrap();
    let report = failed(&app.promote(&[]), 46, "port_taken");
    let message = text(&report["error"]["message"]);
    assert!(message.contains(&app.port.to_string()), "{message}");
    assert!(
        message.contains("no live container was touched"),
        "{message}"
    );
    assert_eq!(app.present(), ["-new"]);
    drop(listener);
    ok(&app.promote(&[]));
    app.assert_live(&v1);
}

#[test]
fn a_host_port_of_another_container_is_refused_before_anything_is_touched() {
    let (app, neighbour) = (App::new("tenant"), App::new("neighbour"));
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let other = neighbour.build("other");
    neighbour.deploy(&other, &[]);
    app.deploy(&v1, &[]);
    let (live, theirs) = (app.id(""), neighbour.id(""));
    let publish = format!("{}:8080", neighbour.port);
    let flags = ["--image", &v2.name, "--publish", &publish];
    ok(&app.step("start-candidate", &flags));
    app.prove_candidate();
    failed(&app.promote(&[]), 46, "port_taken");
    app.assert_untouched(&live, &v1);
    neighbour.assert_untouched(&theirs, &other);
    assert_eq!(app.present(), ["", "-new"]);
}

#[test]
fn a_candidate_that_is_refused_loses_the_apps_name_that_it_was_given() {
    let app = App::new("nameback");
    let network = format!("{}-net", app.name());
    docker(["network", "create", &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("labels");
    fs::write(&file, "TEAM=first\n").unwrap();
    let options = [
        "--network",
        &network,
        "--label-file",
        file.to_str().unwrap(),
    ];
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &options);
    app.candidate(&v2, &options);
    fs::write(&file, "TEAM=second\n").unwrap();
    failed(&app.promote(&[]), 47, "not_verified");
    let names = || {
        app.container("-new").unwrap()["NetworkSettings"]["Networks"][&network]["Aliases"].clone()
    };
    let name = format!("\"{}\"", app.name());
    assert!(!names().to_string().contains(&name), "{}", names());
    fs::write(&file, "TEAM=first\n").unwrap();
    ok(&app.promote(&[]));
    app.assert_live(&v2);
}

#[test]
fn an_engine_that_does_not_answer_is_4_and_not_the_lack_of_a_candidate() {
    let mut promote = step("promote").unwrap();
    engine_at(&mut promote, "unix:///nonexistent.sock").args(["--app", "web"]);
    failed(&run(promote, None).unwrap(), 4, "engine_unreachable");
}

#[test]
fn an_engine_call_that_hangs_is_5_and_touches_nothing() {
    let app = App::new("hangs");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    let hangs = Fault::Before("container inspect", "sleep 60");
    let run = app.promote_with(hangs, &["--engine-timeout", "500ms"]);
    failed(&run, 5, "engine_timeout");
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), ["", "-new"]);
}
