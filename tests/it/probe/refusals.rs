//! Nothing to look at: no container, another one, no address, or an engine on another machine.

use serde_json::{Value, json};
use stage::docker::{Scope, docker, inspect};
use stage::ground::{on_podman, on_rootless_docker};
use stage::image::Image;
use stage::steps::run;

use super::{command, failed, healthy, probe, start, start_as};

#[test]
fn no_container_is_31() {
    let scope = Scope::new("none");
    let run = probe(&scope, &["--within", "100s"]);
    let report = failed(&run, 31, "no_container");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains(&scope.candidate()), "{message}");
    assert!(report["took_ms"].as_u64().unwrap() < 50_000);
    assert!(inspect(&scope.candidate()).unwrap().is_none());
}

#[test]
fn the_beginning_of_another_containers_id_is_no_name() {
    let scope = Scope::new("prefix");
    let id = start(&scope, &Image::of(scope.app()));
    failed(
        &probe(&scope, &["--candidate", &id[..12]]),
        31,
        "no_container",
    );
}

fn handed_on(scope: &Scope, id: &str) -> Value {
    json!({"step": "start-candidate", "ok": true, "app": scope.app(),
        "container": scope.app(), "candidate": scope.candidate(), "candidate_id": id})
}

#[test]
fn a_candidate_that_was_replaced_since_is_31_and_stays() {
    let scope = Scope::new("replaced");
    let first = start(&scope, &Image::of(scope.app()));
    let baton = handed_on(&scope, &first).to_string();
    let ask = || run(command(&scope, &["--from", "-"]), Some(&baton)).unwrap();
    healthy(&ask());
    docker(["rm", "-f", &scope.candidate()]).unwrap();
    let second = start(&scope, &Image::of(scope.app()));
    let run = ask();
    failed(&run, 31, "no_container");
    assert!(run.stderr.contains("another container"), "{run:?}");
    super::still_runs(&scope.candidate(), &second);
}

#[test]
fn no_network_is_33() {
    let scope = Scope::new("nonet");
    let options = ["--network", "none"];
    let id = start_as(
        &scope.candidate(),
        &scope,
        &Image::of(scope.app()),
        &options,
    );
    let run = probe(&scope, &[]);
    let report = failed(&run, 33, "no_address");
    let message = report["error"]["message"].as_str().unwrap();
    // Podman 4 shows no port of a container that has no network.
    let unseen = on_podman() && message.contains("nor exposes a port");
    assert!(unseen || message.contains("port 8080"), "{message}");
    super::still_runs(&scope.candidate(), &id);
}

#[test]
fn several_exposed_ports_are_33_and_the_hint_names_the_flag() {
    let scope = Scope::new("several");
    let image = Image::of(scope.app()).change("EXPOSE 9090");
    start_as(&scope.candidate(), &scope, &image, &[]);
    let run = probe(&scope, &[]);
    let report = failed(&run, 33, "no_address");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("exposes several ports"), "{message}");
    assert!(run.stderr.contains("--port"), "{run:?}");
    let chosen = probe(&scope, &["--port", "8080"]);
    if on_rootless_docker() {
        // The container has no address here.
        failed(&chosen, 33, "no_address");
    } else {
        healthy(&chosen);
    }
}

#[test]
fn an_engine_on_another_machine_is_33_and_is_not_even_called() {
    let scope = Scope::new("elsewhere");
    for host in ["ssh://deploy@x", "tcp://192.0.2.1:2375"] {
        let mut command = command(&scope, &[]);
        command.env("DOCKER_HOST", host);
        let run = run(command, None).unwrap();
        let report = failed(&run, 33, "no_address");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains("another machine"), "{message}");
        assert!(message.contains(host), "{message}");
        assert!(run.stderr.contains("run the steps on that machine"));
    }
}
