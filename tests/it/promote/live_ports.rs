//! Without --publish the next release is called where the live container is: whatever its ports were made of.

use stage::docker::{docker, published};
use stage::ground::on_podman;
use stage::skipped::skip;

use crate::support::{App, failed, free_port, ok, text};

/// Where the container is called, as the engine says it.
fn ports(app: &App) -> Vec<String> {
    let said = docker(["port", app.name()]).unwrap();
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// A live container that a person started with these options.
fn live(app: &App, options: &[&str]) {
    let image = app.build("v1");
    let head = ["run", "-d", "--name", app.name()].into_iter();
    let words = head.chain(options.iter().copied());
    docker(words.chain([image.name.as_str()])).unwrap();
}

/// Deploys without --publish, twice: once upon the container by hand, once upon our own.
fn stays(options: &[&str]) {
    let app = App::new("ports");
    live(&app, options);
    let before = ports(&app);
    assert!(!before.is_empty(), "{options:?}");
    for version in ["v2", "v3"] {
        let image = app.build(version);
        ok(&app.step("start-candidate", &["--image", &image.name]));
        ok(&app.step("probe-health", &["--port", "8080"]));
        ok(&app.promote(&[]));
        assert_eq!(ports(&app), before, "{options:?} {version}");
    }
    docker(["rm", "-f", app.name()]).unwrap();
}

fn lacks_ranges() -> bool {
    if on_podman() {
        skip("podman publishes a range of ports at a range of the same length only");
    }
    on_podman()
}

#[test]
fn one_of_a_range_stays_the_one_it_is() {
    if lacks_ranges() {
        return;
    }
    let first = 26_000 + (std::process::id() % 1000) as u16 * 4;
    stays(&["-p", &format!("{first}-{}:8080", first + 3)]);
}

#[test]
fn families_that_the_engine_gave_different_ports_keep_them() {
    if lacks_ranges() {
        return;
    }
    let first = 21_000 + (std::process::id() % 1000) as u16 * 4;
    let other = App::new("neighbour");
    live(&other, &["-p", &format!("0.0.0.0:{first}:8080")]);
    stays(&["-p", &format!("{first}-{}:8080", first + 3)]);
    docker(["rm", "-f", other.name()]).unwrap();
}

#[test]
fn ports_that_the_engine_chose_stay_what_they_are() {
    stays(&["-P"]);
    stays(&["-p", "8080"]);
}

#[test]
fn a_udp_port_beside_stays() {
    let (tcp, udp) = (free_port(), free_port());
    let tcp = format!("{tcp}:8080");
    stays(&["-p", &tcp, "-p", &format!("{udp}:5353/udp")]);
}

#[test]
fn one_family_stays_one_family() {
    if on_podman() {
        skip("podman writes the same of one family and of both");
        return;
    }
    for address in ["0.0.0.0", "127.0.0.1", "[::1]"] {
        stays(&["-p", &format!("{address}:{}:8080", free_port())]);
    }
}

#[test]
fn several_ports_keep_their_order_so_that_the_same_one_is_probed() {
    let app = App::new("order");
    let (health, other) = (free_port(), free_port());
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let publish = [format!("{health}:8080"), format!("{other}:443")];
    let flags = ["--publish", &publish[0], "--publish", &publish[1]];
    let start = |image: &str, flags: &[&str]| {
        ok(&app.step("start-candidate", &[&["--image", image], flags].concat()));
        ok(&app.step("probe-health", &[]));
        ok(&app.promote(&[]));
    };
    start(&v1.name, &flags);
    start(&v2.name, &[]);
    assert_eq!(published(app.name(), 8080).unwrap().port(), health);
    assert_eq!(published(app.name(), 443).unwrap().port(), other);
}

#[test]
fn a_port_that_the_engine_chose_for_a_container_that_is_down_must_be_said() {
    let app = App::new("down");
    live(&app, &["-p", "8080"]);
    docker(["kill", app.name()]).unwrap();
    let image = app.build("v2");
    if on_podman() {
        // It chooses once, at the creation.
        ok(&app.step("start-candidate", &["--image", &image.name]));
        return;
    }
    let report = failed(
        &app.step("start-candidate", &["--image", &image.name]),
        22,
        "option_refused",
    );
    let hint = text(&report["error"]["hint"]);
    assert!(hint.contains("--publish"), "{report}");
    assert_eq!(app.present(), [""]);
}

#[test]
fn a_port_that_is_given_twice_is_a_usage_error() {
    let app = App::new("twice");
    let image = app.build("v1");
    for (one, two) in [("80:8080", "80:9090"), ("80:8080", "127.0.0.1:80:8080")] {
        let flags = ["--image", &image.name, "--publish", one, "--publish", two];
        let run = app.step("start-candidate", &flags);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("80"), "{run:?}");
    }
}

#[test]
fn the_candidate_does_not_sit_on_the_port_that_it_is_to_publish() {
    // Another test's candidate may get one of the ports meanwhile.
    assert!((0..5).any(|_| is_promoted_beside_its_own_ports()));
}

/// Whether a candidate goes live on the ports that the engine would have given it next, which it must not have.
fn is_promoted_beside_its_own_ports() -> bool {
    let app = App::new("own");
    let image = app.build("v1");
    live(&app, &["-p", "127.0.0.1::8080"]);
    let next = published(app.name(), 8080).unwrap().port();
    docker(["rm", "-f", app.name()]).unwrap();
    // The engine takes them one after the other.
    let wanted: Vec<u16> = (1..4).map(|more| next.saturating_add(more)).collect();
    let publish: Vec<String> = wanted
        .iter()
        .zip(8080..)
        .map(|(host, to)| format!("{host}:{to}"))
        .collect();
    let mut flags = vec!["--image", &image.name];
    publish
        .iter()
        .for_each(|it| flags.extend(["--publish", it.as_str()]));
    ok(&app.step("start-candidate", &flags));
    for port in 8080..8083 {
        let at = published(&app.scope.candidate(), port).unwrap().port();
        assert!(!wanted.contains(&at), "{at} of {wanted:?}");
    }
    ok(&app.step("probe-health", &[]));
    let promoted = app.promote(&[]);
    assert!([0, 46].contains(&promoted.code), "{promoted:?}");
    promoted.code == 0
}

#[test]
fn on_the_hosts_network_the_caller_says_where_the_next_release_is_called_and_a_port_in_use_is_46() {
    let app = App::new("onhost");
    let port = app.port;
    live(&app, &["--network", "host", "-e", &format!("PORT={port}")]);
    let (id, v2) = (app.id(""), app.build("v2"));
    let start = |more: &[&str]| {
        let words = ["--replace", "--image", v2.name.as_str()];
        app.step("start-candidate", &[&words[..], more].concat())
    };
    let error = &failed(&start(&[]), 22, "option_refused")["error"];
    assert!(
        text(&error["message"]).contains("on the host's network"),
        "{error}"
    );
    assert!(text(&error["hint"]).contains("--publish"), "{error}");
    ok(&start(&["--publish", &format!("{port}:8080")]));
    ok(&app.step("probe-health", &[]));
    let error = &failed(&app.promote(&[]), 46, "port_taken")["error"];
    assert!(
        text(&error["message"]).contains("on the host's network"),
        "{error}"
    );
    assert_eq!(app.id(""), id);
    assert_eq!(app.answer(), "v1");
    // The way out that the hint names.
    let before = format!("{}-before", app.name());
    app.scope.also_container(&before);
    docker(["rename", app.name(), &before]).unwrap();
    docker(["stop", &before]).unwrap();
    ok(&app.promote(&[]));
    assert_eq!(app.answer(), "v2");
}
