//! What promote refuses before it touches anything, and what goes on from there; `told` has the table of all.

use std::fs;
use std::net::TcpListener;

use stage::docker::docker;
use stage::steps::{run, step};

use crate::support::{App, Fault, engine_at, failed, ok, text};

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
fn a_live_container_that_somebody_started_after_the_candidate_is_not_replaced() {
    for was_live in [true, false] {
        let app = App::new("newcomer");
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        if was_live {
            app.deploy(&v1, &[]);
        }
        app.candidate(&v2, &[]);
        let _ = docker(["rm", "-f", app.name()]);
        let publish = format!("{}:8080", app.port);
        let words = ["run", "-d", "--name", app.name(), "-p", &publish];
        docker(words.into_iter().chain(["-e", "BY_HAND=1", &v1.name])).unwrap();
        let live = app.id("");
        let report = failed(&app.promote(&[]), 40, "no_candidate");
        let error = &report["error"];
        let message = text(&error["message"]);
        assert!(message.contains("beside another container"), "{message}");
        assert!(text(&error["hint"]).contains("--replace"), "{error}");
        assert_eq!(app.id(""), live);
        assert_eq!(app.present(), ["", "-new"]);
        let again = ["--image", &v2.name, "--publish", &publish, "--replace"];
        ok(&app.step("start-candidate", &again));
        app.prove_candidate();
        ok(&app.promote(&[]));
        app.assert_live(&v2);
    }
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
