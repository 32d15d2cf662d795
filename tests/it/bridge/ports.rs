//! Ports that are published beside the health check's, or without it.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use stage::clients::Peer;
use stage::docker::Scope;
use stage::image::Image;
use stage::load::Load;

use super::kinds::{is_served, kinds, seen_by, show};
use super::{RULES, bridged_now, lacks_bridge};
use crate::support::{App, Fault, eventually, failed, free_port, ok, text};

/// Where health is asked and what is not published.
const INSIDE: [&str; 2] = ["--health-port", "8080"];

/// What both releases answer on their second port.
const SECOND: [&str; 2] = ["v1-second", "v2-second"];

/// An image with a second port, 9090, behind which health is not asked.
fn second(app: &App, version: &str) -> Image {
    app.image(version).env("SECOND_PORT", "9090")
}

/// The container takes connections on its second port.
fn is_open(app: &App, end: &str) -> bool {
    let networks = &app.container(end).unwrap()["NetworkSettings"]["Networks"];
    let mut places = networks.as_object().unwrap().values();
    let ip: IpAddr = places
        .find_map(|it| text(&it["IPAddress"]).parse().ok())
        .unwrap();
    TcpStream::connect_timeout(&(ip, 9090).into(), Duration::from_secs(1)).is_ok()
}

#[test]
fn an_app_whose_health_port_is_not_published_goes_live_and_all_its_clients_are_bridged() {
    if lacks_bridge() {
        return;
    }
    let _rules_of_all = RULES.read().unwrap_or_else(PoisonError::into_inner);
    let (app, peer, scope) = (
        App::new("inner"),
        Peer::new().unwrap(),
        Scope::new("clients"),
    );
    let [v1, v2] = ["v1", "v2"].map(|it| app.tagged(&second(&app, it), it));
    let publish = [format!("{}:9090", app.port)];
    app.candidate_at(&v1, &publish, &INSIDE, &[]);
    ok(&app.promote(&[]));
    let mut kinds = kinds(&app, &peer, &scope);
    kinds.retain(|it| is_served(it.0));
    let seen = seen_by(&kinds, &app, || {
        app.candidate_at(&v2, &publish, &INSIDE, &[]);
        let swap = bridged_now(&app, &[]);
        assert!(swap["probes"].as_u64() > Some(0), "{swap}");
    });
    show(&seen);
    for (kind, seen) in seen {
        assert_eq!(seen.failed(), 0, "{kind}: {:?}", seen.kinds());
        assert_eq!(seen.versions(), SECOND, "{kind}");
    }
}

/// What a server says that speaks first, at each call until the `end`.
fn greetings(at: SocketAddr, end: &AtomicBool) -> Vec<Result<String, String>> {
    let mut heard = Vec::new();
    while !end.load(Ordering::SeqCst) {
        let greeted = TcpStream::connect_timeout(&at, Duration::from_secs(2)).and_then(|stream| {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line)?;
            Ok(line.trim().to_owned())
        });
        heard.push(greeted.map_err(|error| error.to_string()));
        thread::sleep(Duration::from_millis(10));
    }
    heard
}

#[test]
fn a_port_whose_server_speaks_first_is_bridged() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("greets");
    let image = |version| app.tagged(&second(&app, version).env("GREETS", "1"), version);
    let (v1, v2) = (image("v1"), image("v2"));
    let publish = [format!("{}:9090", app.port)];
    app.candidate_at(&v1, &publish, &INSIDE, &[]);
    ok(&app.promote(&[]));
    app.candidate_at(&v2, &publish, &INSIDE, &[]);
    let end = AtomicBool::new(false);
    let heard = thread::scope(|scope| {
        let client = scope.spawn(|| greetings(app.addr(), &end));
        let swapped = scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            bridged_now(&app, &[])
        });
        let swapped = swapped.join();
        end.store(true, Ordering::SeqCst);
        swapped.unwrap();
        client.join().unwrap()
    });
    let first = |said: &str| heard.iter().position(|it| it.as_deref() == Ok(said));
    assert!(
        first(SECOND[0]).is_some() && first(SECOND[0]) < first(SECOND[1]),
        "{heard:?}"
    );
    let is_known = |it: &&Result<_, _>| it.as_deref().is_ok_and(|said| SECOND.contains(&said));
    let strange: Vec<_> = heard.iter().filter(|it| !is_known(it)).collect();
    assert!(strange.is_empty(), "{strange:?} of {}", heard.len());
}

#[test]
fn a_port_that_knows_of_no_health_is_bridged_beside_one_that_does() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("beside");
    let [v1, v2] = ["v1", "v2"].map(|it| app.tagged(&second(&app, it), it));
    let further = free_port();
    let publish = [format!("{}:8080", app.port), format!("{further}:9090")];
    app.candidate_at(&v1, &publish, &[], &[]);
    ok(&app.promote(&[]));
    app.candidate_at(&v2, &publish, &[], &[]);
    let loads = [app.port, further].map(|port| Load::to(&format!("127.0.0.1:{port}"), "/", 100));
    bridged_now(&app, &[]);
    for (load, versions) in loads.into_iter().zip([["v1", "v2"], SECOND]) {
        let seen = load.stop();
        assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
        assert_eq!(seen.versions(), versions);
    }
}

#[test]
fn clients_of_a_port_that_opens_late_go_to_the_candidate_until_it_is_open() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("late");
    let image = |version| app.tagged(&second(&app, version).env("SECOND_MS", "2500"), version);
    let (v1, v2) = (image("v1"), image("v2"));
    let further = free_port();
    let publish = [format!("{}:8080", app.port), format!("{further}:9090")];
    for image in [&v1, &v2] {
        app.candidate_at(image, &publish, &[], &[]);
        eventually("the second port is open", || is_open(&app, "-new"));
        let load = Load::to(&format!("127.0.0.1:{further}"), "/", 100);
        let report = ok(&app.promote(&[]));
        let seen = load.stop();
        if report["swap"].is_object() {
            assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
            assert_eq!(seen.versions(), SECOND);
        }
    }
}

#[test]
fn a_port_that_only_the_candidate_opens_is_rolled_back_and_no_client_of_either_port_notices() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("shut");
    let folder = tempfile::tempdir().unwrap();
    let bind = format!("{}:/switch:ro", folder.path().display());
    let options = ["-v", &bind[..]];
    // After a rollback the old one opens it late as well.
    let v1 = app.tagged(&second(&app, "v1").env("SECOND_MS", "1500"), "v1");
    let shut = second(&app, "v2").env("SECOND_UNLESS", "/switch/shut");
    let v2 = app.tagged(&shut, "v2");
    let further = free_port();
    let publish = [format!("{}:8080", app.port), format!("{further}:9090")];
    app.candidate_at(&v1, &publish, &[], &options);
    eventually("the second port is open", || is_open(&app, "-new"));
    ok(&app.promote(&[]));
    eventually("the live one's, too", || is_open(&app, ""));
    let id = app.id("");
    app.candidate_at(&v2, &publish, &[], &options);
    eventually("the next one's, too", || is_open(&app, "-new"));
    let loads = [app.port, further].map(|port| Load::to(&format!("127.0.0.1:{port}"), "/", 100));
    let touch = format!("touch {}/shut", folder.path().display());
    let run = app.promote_with(Fault::Before("start", &touch), &["--within", "3s"]);
    let report = failed(&run, 41, "rolled_back_unhealthy");
    let why = text(&report["error"]["message"]);
    assert!(why.contains("no connection on its port 9090"), "{report}");
    for load in loads {
        let seen = load.stop();
        assert_eq!(seen.failed(), 0, "{:?} {report}", seen.kinds());
    }
    app.assert_untouched(&id, &v1);
}
