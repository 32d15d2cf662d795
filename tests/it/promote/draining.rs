//! Requests in flight and deaf containers: what the old container is given before it is stopped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use stage::docker::docker;
use stage::ground::{on_podman, on_rootless_docker};
use stage::skipped::skip;

use crate::bridge::has_bridge;
use crate::support::{App, get, ok, text};

fn live_and_candidate(prefix: &str) -> App {
    let app = App::new(prefix);
    app.deploy(&app.build("v1"), &[]);
    app.candidate(&app.build("v2"), &[]);
    app
}

fn drained_ms(report: &Value) -> u64 {
    assert_eq!(report["swap"]["drained_by"], "tcp_info", "{report}");
    report["swap"]["drained_ms"].as_u64().unwrap()
}

#[test]
fn a_request_in_flight_is_answered_before_its_container_is_stopped() {
    let app = live_and_candidate("inflight");
    let addr = app.addr();
    let slow = thread::spawn(move || get(addr, "/slow?ms=3000"));
    thread::sleep(Duration::from_millis(500));
    let report = ok(&app.promote(&[]));
    assert_eq!(slow.join().unwrap().unwrap(), "v1");
    assert!(drained_ms(&report) >= 300, "{report}");
    assert_eq!(app.answer(), "v2");
    assert_eq!(app.present(), [""]);
}

#[test]
fn an_idle_connection_that_is_kept_alive_holds_nothing_up() {
    let app = live_and_candidate("idle");
    let mut idle = TcpStream::connect(app.addr()).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        .unwrap();
    let mut answer = [0; 512];
    let n = idle.read(&mut answer).unwrap();
    assert!(answer[..n].starts_with(b"HTTP/1.1 200"));
    thread::sleep(Duration::from_millis(300));
    let report = ok(&app.promote(&["--drain", "20s"]));
    assert!(drained_ms(&report) < 10_000, "{report}");
    assert_eq!(idle.read(&mut answer).unwrap_or(0), 0);
    assert_eq!(app.answer(), "v2");
}

#[test]
fn a_request_that_takes_too_long_is_waited_for_only_so_long() {
    let app = live_and_candidate("bounded");
    let addr = app.addr();
    let slow = thread::spawn(move || get(addr, "/slow?ms=9000"));
    thread::sleep(Duration::from_millis(500));
    let report = ok(&app.promote(&["--drain", "1s"]));
    assert!((1000..7000).contains(&drained_ms(&report)), "{report}");
    assert!(slow.join().unwrap().is_err());
    assert_eq!(app.answer(), "v2");
}

#[test]
fn a_container_that_ignores_sigterm_is_killed_after_the_stop_timeout() {
    let app = App::new("deaf");
    let v1 = app.tagged(&app.image("v1").env("DEAF", "1"), "v1");
    let v2 = app.build("v2");
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let report = ok(&app.promote(&["--stop-timeout", "1s", "--bridge", "off"]));
    let took = report["took_ms"].as_u64().unwrap();
    assert!((1000..10_000).contains(&took), "{report}");
    app.assert_live(&v2);
}

#[test]
fn a_container_with_a_stop_timeout_of_its_own_is_given_that_long() {
    let app = App::new("patient");
    let v1 = app.tagged(&app.image("v1").env("DEAF", "1"), "v1");
    let v2 = app.build("v2");
    let port = format!("{}:8080", app.port);
    let words = ["run", "-d", "--stop-timeout", "13", "-p", &port];
    let words = [&words[..], &["--name", app.name(), &v1.name]].concat();
    docker(words).unwrap();
    app.candidate(&v2, &[]);
    let report = ok(&app.promote(&[]));
    // It is killed at last, and not after the usual ten seconds.
    assert!(report["took_ms"].as_u64().unwrap() >= 13_000, "{report}");
    app.assert_live(&v2);
}

#[test]
fn a_container_that_is_never_to_be_killed_ends_by_itself_and_so_may_the_next_one() {
    if on_podman() {
        return skip("podman's create takes no negative stop timeout");
    }
    let app = App::new("endless");
    let v1 = app.tagged(&app.image("v1").env("GRACEFUL", "1"), "v1");
    let v2 = app.build("v2");
    let port = format!("{}:8080", app.port);
    let words = ["run", "-d", "--stop-timeout", "-1", "-p", &port];
    let words = [&words[..], &["--name", app.name(), &v1.name]].concat();
    docker(words).unwrap();
    ok(&app.step("probe-health", &["--live"]));
    app.candidate(&v2, &["--stop-timeout", "-1"]);
    let addr = app.addr();
    // Longer than the usual time until a container is killed.
    let slow = thread::spawn(move || ask(addr, "/slow?ms=14000"));
    thread::sleep(Duration::from_millis(500));
    ok(&app.promote(&["--drain", "1s"]));
    assert_eq!(slow.join().unwrap(), "HTTP/1.1 200 OK");
    app.assert_live(&v2);
    let timeout = |end: &str| app.container(end).unwrap()["Config"]["StopTimeout"].clone();
    assert_eq!(timeout(""), -1);
    for words in [&[][..], &["--like-live"]] {
        let flags = ["--replace", "--image", &v1.name];
        ok(&app.step("start-candidate", &[&flags[..], words].concat()));
        assert_eq!(timeout("-new"), -1);
    }
    ok(&app.step("prune-app", &["--candidate"]));
}

/// The first line of the answer, however long it takes.
fn ask(addr: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_frozen_container_is_replaced_as_well() {
    let app = App::new("frozen");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let paused = docker(["pause", app.name()]);
    if on_rootless_docker() && docker(["info", "-f", "{{.CgroupDriver}}"]).unwrap() == "none" {
        assert!(paused.is_err(), "it freezes without cgroups");
        return;
    }
    paused.unwrap();
    let report = ok(&app.promote(&["--stop-timeout", "1s", "--drain", "1s"]));
    let is_bridged = text(&report["swap"]["bridge"]) == "on";
    assert_eq!(is_bridged, has_bridge(), "{report}");
    app.assert_live(&v2);
}
