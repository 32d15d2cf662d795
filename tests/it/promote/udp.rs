//! Ports that are not TCP's: who else has one is found before the live container is touched.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use stage::docker::docker;
use stage::image::Built;
use stage::load::Load;

use crate::support::{App, failed, free_port, ok, text};

/// A candidate that is to publish a UDP port beside the app's own.
fn candidate(app: &App, image: &Built, udp: u16) {
    let tcp = format!("{}:8080", app.port);
    let udp = format!("{udp}:5353/udp");
    let flags = ["--image", &image.name, "--publish", &tcp, "--publish", &udp];
    ok(&app.step("start-candidate", &flags));
    app.prove_candidate();
}

/// A promotion that is refused for the UDP port, under load: nobody notices it.
fn refused(app: &App, udp: u16) {
    let load = Load::start(app.addr(), "/", 100);
    thread::sleep(Duration::from_millis(300));
    let report = failed(&app.promote(&[]), 46, "port_taken");
    let seen = load.stop();
    assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
    let message = text(&report["error"]["message"]);
    assert!(message.contains(&format!("{udp}/udp")), "{message}");
    assert!(report.get("rolled_back_to").is_none(), "{report}");
}

#[test]
fn a_udp_port_that_a_process_has_is_refused_before_anything_is_touched() {
    let (app, udp) = (App::new("udp"), free_port());
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    candidate(&app, &v2, udp);
    let socket = UdpSocket::bind(("127.0.0.1", udp)).unwrap();
    refused(&app, udp);
    app.assert_untouched(&live, &v1);
    assert_eq!(app.present(), ["", "-new"]);
    drop(socket);
    ok(&app.promote(&[]));
    app.assert_live(&v2);
}

#[test]
fn a_udp_port_that_the_live_container_has_is_its_own() {
    let (app, udp) = (App::new("ownudp"), free_port());
    for version in ["v1", "v2"] {
        let image = app.build(version);
        candidate(&app, &image, udp);
        ok(&app.promote(&[]));
        app.assert_live(&image);
    }
    assert!(docker(["port", app.name()]).unwrap().contains("5353/udp"));
}

#[test]
fn a_udp_port_of_another_container_is_refused_and_a_tcp_port_of_that_number_is_not() {
    let (app, udp) = (App::new("tenantudp"), free_port());
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    candidate(&app, &v2, udp);
    let other = format!("{}-other", app.name());
    app.scope.also_container(&other);
    let publish = |port: String| {
        let run = ["run", "-d", "--name", &other, "-p", &port, &v1.name];
        docker(run).unwrap();
    };
    publish(format!("{udp}:5353/udp"));
    refused(&app, udp);
    app.assert_untouched(&live, &v1);
    docker(["rm", "-f", &other]).unwrap();
    publish(format!("{udp}:8080"));
    ok(&app.promote(&[]));
    app.assert_live(&v2);
}
