//! start-candidate beside whatever is live.

mod broken;
mod followed;
mod full_disk;
pub(crate) mod killed;
mod like_live;
mod ports;
mod previous;
mod races;
mod refused;
mod secrets;
mod shown;
mod told;
mod volumes;

use std::net::TcpStream;

use serde_json::{Value, json};
use stage::docker::{default_network, docker, in_containerds_store, inspect, published};
use stage::ground::on_podman;
use stage::steps::run;

use crate::support::{App, failed, get, ok};

/// Asserts that no container of the app is there but the live one.
fn nothing_left(app: &App) {
    assert_eq!(app.container("-new"), None);
    let label = format!("label=deploy-steps.app={}", app.name());
    assert_eq!(docker(["ps", "-aq", "--filter", &label]).unwrap(), "");
}

fn recipe(candidate: &Value) -> Value {
    let label = &candidate["Config"]["Labels"]["deploy-steps.recipe"];
    serde_json::from_str(label.as_str().unwrap()).unwrap()
}

#[test]
fn a_candidate_runs_on_loopback_only_and_carries_its_recipe() {
    let app = App::new("start");
    let image = app.build("v1");
    let publish = format!("{}:8080", app.port);
    let flags = ["--image", &image.name, "--publish", &publish];
    let more = ["--deploy-id", "42", "--health-path", "/health", "--"];
    let options = ["-e", "WHO=me"];
    let run = app.step("start-candidate", &[&flags[..], &more, &options].concat());

    let report = ok(&run);
    let candidate = app.container("-new").unwrap();
    assert_eq!(report["step"], "start-candidate");
    assert_eq!(report["app"], app.name());
    assert_eq!(report["container"], app.name());
    assert_eq!(report["candidate"], app.scope.candidate());
    assert_eq!(report["candidate_id"], candidate["Id"]);
    assert_eq!(report["image"], image.name.as_str());
    assert_eq!(report["image_id"], image.id.as_str());
    assert_eq!(report["publish"], json!([publish]));
    assert_eq!(report["deploy_id"], 42);
    let own = in_containerds_store().then_some(image.id.as_str());
    assert_eq!(report["digest"].as_str(), own, "it is in no registry");

    assert_eq!(candidate["State"]["Running"], true);
    assert_eq!(candidate["HostConfig"]["RestartPolicy"]["Name"], "no");
    assert_eq!(
        candidate["Config"]["Labels"]["deploy-steps.app"],
        app.name()
    );
    let recipe = recipe(&candidate);
    assert_eq!(recipe["image"], image.name.as_str());
    assert_eq!(recipe["image_id"], image.id.as_str());
    assert_eq!(recipe["publish"], json!([publish]));
    assert_eq!(recipe["options"], json!(["-e", "WHO"]));
    assert_eq!(recipe["values"], json!({"WHO": "given"}));
    assert_eq!(recipe["deploy_id"], 42);
    assert_eq!(recipe["probe"]["path"], "/health");
    let here = std::env::current_dir().unwrap();
    assert_eq!(recipe["folder"], here.to_str().unwrap());
}

#[test]
fn a_candidate_answers_on_an_ephemeral_loopback_port_and_nowhere_else() {
    let app = App::new("loop");
    app.start(&app.build("v1"), &[]);
    let bound = &app.container("-new").unwrap()["NetworkSettings"]["Ports"];
    let bindings = bound["8080/tcp"].as_array().unwrap();
    assert_eq!(bound.as_object().unwrap().len(), 1);
    assert_eq!(bindings.len(), 1);
    assert_eq!(bindings[0]["HostIp"], "127.0.0.1");

    let loopback = published(&app.scope.candidate(), 8080).unwrap();
    crate::support::eventually("it answers", || get(loopback, "/").is_ok());
    assert_eq!(get(loopback, "/").unwrap(), "v1");
    assert!(TcpStream::connect(app.addr()).is_err(), "not published yet");
    let gateway = if on_podman() {
        "{{(index .Subnets 0).Gateway}}"
    } else {
        "{{(index .IPAM.Config 0).Gateway}}"
    };
    let gateway = docker(["network", "inspect", default_network(), "-f", gateway]).unwrap();
    assert!(TcpStream::connect((gateway.as_str(), loopback.port())).is_err());
}

#[test]
fn the_names_follow_the_container_when_it_is_not_called_like_the_app() {
    let app = App::new("names");
    let image = app.build("v1");
    let container = format!("{}.site", app.name());
    let candidate = format!("{container}-new");
    app.scope.also_container(&candidate);
    let flags = ["--image", &image.name, "--container", &container];
    let report = ok(&app.step("start-candidate", &flags));
    assert_eq!(report["container"], container.as_str());
    assert_eq!(report["candidate"], candidate.as_str());
    assert!(inspect(&candidate).unwrap().is_some());
    assert_eq!(app.container("-new"), None);
}

#[test]
fn names_and_port_come_from_the_environment_of_the_old_script_too() {
    let app = App::new("env");
    let image = app.tagged(&app.image("v1").change("EXPOSE 9090"), "v1");
    let mut command = stage::steps::step("start-candidate").unwrap();
    command
        .args(["--image", &image.name])
        .env("APP_NAME", format!("{}-app", app.name()))
        .env("CONTAINER_NAME", app.name())
        .env("APP_PORT", "9090");
    let report = ok(&run(command, None).unwrap());
    assert_eq!(report["app"], format!("{}-app", app.name()));
    assert_eq!(report["candidate"], app.scope.candidate());
    let candidate = app.container("-new").unwrap();
    assert_eq!(recipe(&candidate)["probe"]["port"], 9090);
    assert!(published(&app.scope.candidate(), 9090).is_ok());
}

#[test]
fn what_stands_after_the_second_dashes_is_the_command() {
    let app = App::new("command");
    let image = app.build("v1");
    let flags = ["--image", &image.name, "--", "-e", "A=b"];
    let command = ["--", "--rm", "two words", "--", "-p", "1:1"];
    ok(&app.step("start-candidate", &[&flags[..], &command].concat()));
    let candidate = app.container("-new").unwrap();
    assert_eq!(candidate["Config"]["Cmd"], json!(command[1..]));
    assert_eq!(recipe(&candidate)["command"], json!(command[1..]));
    assert_eq!(recipe(&candidate)["options"], json!(["-e", "A"]));
    assert_eq!(candidate["HostConfig"]["AutoRemove"], false);
}

#[test]
fn a_relative_env_file_is_meant_from_where_the_step_was_called() {
    let app = App::new("envfile");
    let image = app.build("v1");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.env"), "VERSION=from-file\n").unwrap();
    let flags = ["--image", &image.name, "--", "--env-file", "app.env"];
    let mut command = app.command("start-candidate", &flags);
    command.current_dir(folder.path());
    ok(&run(command, None).unwrap());
    let candidate = app.container("-new").unwrap();
    let env = candidate["Config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("VERSION=from-file")), "{env:?}");
    let real = folder.path().canonicalize().unwrap();
    assert_eq!(recipe(&candidate)["folder"], real.to_str().unwrap());

    let mut elsewhere = app.command("start-candidate", &["--replace"]);
    elsewhere.args(flags).current_dir("/");
    failed(&run(elsewhere, None).unwrap(), 22, "option_refused");
}

#[test]
fn a_folder_that_is_gone_matters_only_to_those_who_need_it() {
    // An env file is read at the candidate's creation only.
    for (flag, file, gone) in [
        ("--label-file", "app.env", true),
        ("--label-file", "/dev/null", false),
        ("--env-file", "app.env", false),
    ] {
        let app = App::new("gone");
        let image = app.build("v1");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.env"), "").unwrap();
        let publish = format!("{}:8080", app.port);
        let flags = ["-p", &publish, "--image", &image.name, "--", flag, file];
        let mut command = app.command("start-candidate", &flags);
        command.current_dir(folder.path());
        ok(&run(command, None).unwrap());
        app.prove_candidate();
        drop(folder);
        let promoted = app.promote(&[]);
        if gone {
            let report = failed(&promoted, 1, "unexpected");
            assert!(report["error"]["message"].to_string().contains("is gone"));
            assert_eq!(app.container("-new").unwrap()["State"]["Running"], true);
        } else {
            ok(&promoted);
            app.assert_live(&image);
        }
    }
}
