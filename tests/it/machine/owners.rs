//! Live containers that a systemd unit runs, and such as compose has made.

use std::fs;
use std::process::Command;

use stage::image::Built;
use stage::process::Run;
use stage::steps::run;

use super::{active, alone, on_a_machine_of_its_own};
use crate::support::{App, eventually, failed, text};

fn called(words: &[&str]) -> Run {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    let done = run(command, None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    done
}

/// A unit as people write it for a container.
fn unit(app: &App, image: &Built, start: &str) -> String {
    let name = format!("{}.service", app.name());
    let text = format!(
        "[Service]\nRestart=always\nRestartSec=1\nExecStartPre=-/usr/bin/docker rm --force {app}\n\
         ExecStart={start} /usr/bin/docker run --rm --name {app} --publish {port}:8080 {image}\n",
        app = app.name(),
        port = app.port,
        image = image.name,
    );
    fs::write(format!("/run/systemd/system/{name}"), text).unwrap();
    called(&["systemctl", "daemon-reload"]);
    called(&["systemctl", "start", &name]);
    eventually("the unit's container answers", || app.answer() == "v1");
    name
}

#[test]
fn a_container_that_a_systemd_unit_runs_is_left_to_it() {
    on_a_machine_of_its_own("owners::units");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn units() {
    alone();
    let script = "/run/run-it";
    fs::write(script, "#!/bin/sh\n\"$@\"\n").unwrap();
    called(&["chmod", "+x", script]);
    for start in ["", script] {
        let app = App::new("unit");
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        let name = unit(&app, &v1, start);
        let live = app.id("");
        let publish = format!("{}:8080", app.port);
        let started = app.step(
            "start-candidate",
            &["--image", &v2.name, "--publish", &publish],
        );
        let error = &failed(&started, 9, "name_taken")["error"];
        let message = text(&error["message"]);
        assert!(
            message.contains(&format!("the systemd unit {name}")),
            "{message}"
        );
        let hint = text(&error["hint"]);
        assert!(
            hint.contains(&format!("systemctl disable --now {name}")),
            "{hint}"
        );
        app.assert_untouched(&live, &v1);
        assert_eq!(app.present(), [""]);
        // The way out that the hint names.
        called(&["systemctl", "stop", &name]);
        eventually("its container is gone", || app.present().is_empty());
        app.deploy(&v2, &[]);
        assert_eq!(active(&name), "inactive");
        app.assert_live(&v2);
    }
}

#[test]
fn a_login_that_runs_a_container_does_not_keep_it() {
    on_a_machine_of_its_own("owners::login");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn login() {
    alone();
    let app = App::new("attached");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let publish = format!("{}:8080", app.port);
    let mut attached = Command::new("docker")
        .args(["run", "--name", app.name(), "-p", &publish, &v1.name])
        .spawn()
        .unwrap();
    eventually("it answers", || app.answer() == "v1");
    app.deploy(&v2, &[]);
    app.assert_live(&v2);
    attached.wait().unwrap();
}

#[test]
fn compose_takes_what_came_in_the_place_of_its_container_for_its_own() {
    on_a_machine_of_its_own("owners::composed");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn composed() {
    alone();
    let app = App::new("composed");
    let (v1, v2, v3) = (app.build("v1"), app.build("v2"), app.build("v3"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.yaml");
    let project = format!(
        "name: {app}\nservices:\n  web:\n    image: {image}\n    container_name: {app}\n    ports: [\"{port}:8080\"]\n",
        app = app.name(),
        port = app.port,
        image = v1.name,
    );
    fs::write(&file, project).unwrap();
    let file = file.to_str().unwrap();
    let compose =
        |words: &[&str]| called(&[&["docker", "compose", "--file", file], words].concat());
    compose(&["up", "--detach"]);
    eventually("it answers", || app.answer() == "v1");
    for next in [&v2, &v3] {
        app.deploy(next, &[]);
        let live = app.id("");
        assert_eq!(compose(&["ps", "--quiet"]).stdout.trim(), live);
        compose(&["up", "--detach"]);
        assert_eq!(compose(&["ps", "--all", "--quiet"]).stdout.trim(), live);
        app.assert_untouched(&live, next);
    }
    compose(&["down"]);
    assert!(app.present().is_empty());
}
