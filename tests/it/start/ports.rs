//! Which ports a candidate gets on loopback, and which ones promote is to publish.

use serde_json::{Value, json};
use stage::docker::docker;
use stage::ground::on_podman;

use super::{nothing_left, recipe};
use crate::runs::refused;
use crate::support::{App, free_port, ok};

/// The container ports that are bound; each must be bound to loopback alone.
fn loopback(app: &App) -> Vec<String> {
    let bound = &app.container("-new").unwrap()["HostConfig"]["PortBindings"];
    // Podman 4 lists the exposed ones as well.
    let bound = bound.as_object().unwrap().iter();
    let bound: serde_json::Map<_, _> = bound
        .filter(|(_, bindings)| !bindings.is_null())
        .map(|(port, bindings)| (port.clone(), bindings.clone()))
        .collect();
    let only = json!([{"HostIp": "127.0.0.1", "HostPort": ""}]);
    let alone = |bindings: &Value| {
        let port = &bindings[0]["HostPort"];
        // Older engines write a nought, and podman has chosen already.
        let chosen = port == "0" || on_podman() && bindings[0]["HostIp"] == "127.0.0.1";
        *bindings == only || (chosen && bindings.as_array().unwrap().len() == 1)
    };
    assert!(bound.values().all(alone), "{bound:?}");
    bound.keys().cloned().collect()
}

fn start(app: &App, image: &str, flags: &[&str]) -> Value {
    let words = [&["--image", image], flags].concat();
    let report = ok(&app.step("start-candidate", &words));
    assert_eq!(
        recipe(&app.container("-new").unwrap())["publish"],
        report["publish"]
    );
    report
}

#[test]
fn without_publish_the_only_exposed_port_is_on_loopback() {
    let app = App::new("one");
    let report = start(&app, &app.build("v1").name, &[]);
    assert_eq!(report["publish"], json!([]));
    assert_eq!(loopback(&app), ["8080/tcp"]);
}

#[test]
fn without_publish_several_exposed_ports_are_nobodys_choice() {
    let app = App::new("two");
    let image = app.tagged(&app.image("v1").change("EXPOSE 9090"), "v1");
    let report = start(&app, &image.name, &[]);
    assert_eq!(report["publish"], json!([]));
    assert_eq!(loopback(&app), [""; 0]);

    start(&app, &image.name, &["--replace", "--health-port", "9090"]);
    assert_eq!(loopback(&app), ["9090/tcp"]);
}

#[test]
fn each_published_port_gets_one_of_its_own() {
    let app = App::new("ports");
    let (one, two) = (app.port, free_port());
    let publish = [format!("{one}:8080"), format!("127.0.0.1:{two}:9090")];
    let again = format!("[::1]:{two}:8080/tcp");
    let flags = ["-p", &publish[0], "--publish", &publish[1], "-p", &again];
    let report = start(&app, &app.build("v1").name, &flags);
    let kept = format!("[::1]:{two}:8080");
    assert_eq!(report["publish"], json!([publish[0], publish[1], kept]));
    assert_eq!(loopback(&app), ["8080/tcp", "9090/tcp"]);
}

#[test]
fn without_publish_it_is_what_the_live_container_publishes() {
    let app = App::new("inherit");
    let image = app.build("v1");
    let publish = format!("{}:8080", app.port);
    docker([
        "run",
        "-d",
        "--name",
        app.name(),
        "-p",
        &publish,
        &image.name,
    ])
    .unwrap();
    let report = start(&app, &image.name, &[]);
    assert_eq!(report["publish"], json!([publish]));
    assert_eq!(loopback(&app), ["8080/tcp"]);
    assert_eq!(app.answer(), "v1");

    let other = format!("{}:8080", free_port());
    let report = start(&app, &image.name, &["--replace", "-p", &other]);
    assert_eq!(report["publish"], json!([other]));
}

#[test]
fn ports_that_are_none_are_usage_errors() {
    let app = App::new("noports");
    let image = app.build("v1");
    for bad in [
        "80",
        "0:80",
        "80:0",
        "80-81:80-81",
        "53:53/quic",
        "x:1:2",
        "--rm",
    ] {
        let publish = format!("--publish={bad}");
        refused(&app.step("start-candidate", &["--image", &image.name, &publish]));
    }
    nothing_left(&app);
}
