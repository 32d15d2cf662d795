//! The flags that say what healthy means, each against an app that answers for real.

use stage::docker::{Scope, docker, published};
use stage::fault::{Fault, Proxy};
use stage::ground::{on_podman, on_rootless_docker};
use stage::image::Image;
use stage::marks::Marks;
use stage::steps::{run, step};

use super::{command, failed, healthy, last_saw, probe, start, start_as, unpublished};

const BRIEFLY: [&str; 4] = ["--attempts", "2", "--interval", "50ms"];

/// A candidate that answers, so that a look that fails does so for the flags' sake.
fn answering(prefix: &str) -> Scope {
    let scope = Scope::new(prefix);
    start(&scope, &Image::of(scope.app()).version("v1"));
    healthy(&probe(&scope, &[]));
    scope
}

fn briefly(scope: &Scope, args: &[&str]) -> serde_json::Value {
    let args = [args, &BRIEFLY].concat();
    failed(&probe(scope, &args), 30, "unhealthy")
}

#[test]
fn path_and_expected_status_are_the_ones_asked_for() {
    let scope = answering("path");
    let report = healthy(&probe(&scope, &["--path", "/"]));
    assert_eq!(report["probe"]["path"], "/");
    let report = briefly(&scope, &["--path", "/nowhere"]);
    assert_eq!(last_saw(&report), "status 404");
    let args = ["--path", "/nowhere", "--expect-status", "404"];
    healthy(&probe(&scope, &args));
    let report = briefly(&scope, &["--expect-status", "201-299"]);
    assert_eq!(last_saw(&report), "status 200");
}

#[test]
fn the_body_must_contain_the_expected_text() {
    let scope = answering("body");
    let args = ["--path", "/", "--expect-body", "v1"];
    let report = healthy(&probe(&scope, &args));
    assert_eq!(last_saw(&report), "status 200 with the expected body");
    let report = briefly(&scope, &["--path", "/", "--expect-body", "v2"]);
    assert_eq!(
        last_saw(&report),
        "status 200, but the body lacks the expected text"
    );
}

#[test]
fn headers_are_sent_and_never_shown() {
    let scope = answering("header");
    let header = ["--header", "X-Token: open-hunter2", "--path", "/headers"];
    let sent = probe(&scope, &[&header[..], &["--expect-body", "open-"]].concat());
    let report = healthy(&sent);
    assert_eq!(report["probe"]["expect_body"], "open-");
    let args = [&header[..], &["--expect-body", "absent"], &BRIEFLY].concat();
    let unseen = probe(&scope, &args);
    failed(&unseen, 30, "unhealthy");
    for run in [sent, unseen] {
        let said = run.stdout + &run.stderr;
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn the_host_header_is_the_one_given() {
    let scope = answering("host");
    let args = ["--path", "/headers", "--host", "web.example"];
    let args = [&args[..], &["--expect-body", "web.example"]].concat();
    let report = healthy(&probe(&scope, &args));
    assert_eq!(report["probe"]["host"], "web.example");
}

#[test]
fn port_chooses_among_several_and_may_come_from_the_environment() {
    let scope = Scope::new("ports");
    let image = Image::of(scope.app()).change("EXPOSE 9090");
    start_as(&scope.candidate(), &scope, &image.env("PORT", "9090"), &[]);
    if on_rootless_docker() {
        // The container has no address here.
        let run = probe(&scope, &["--port", "9090"]);
        failed(&run, 33, "no_address");
        assert!(run.stderr.contains("publish the port"), "{run:?}");
        return;
    }
    let report = healthy(&probe(&scope, &["--port", "9090"]));
    let target = report["target"].as_str().unwrap();
    assert!(target.ends_with(":9090/health"), "{target}");
    let mut by_env = step("probe-health").unwrap();
    by_env.env("APP_NAME", scope.app()).env("APP_PORT", "9090");
    healthy(&run(by_env, None).unwrap());
    let report = briefly(&scope, &["--port", "8080"]);
    assert_eq!(last_saw(&report), "connection refused");
}

#[test]
fn a_redirect_is_not_followed() {
    let scope = answering("moved");
    let report = briefly(&scope, &["--path", "/redirect"]);
    assert_eq!(last_saw(&report), "status 302");
}

#[test]
fn a_proxy_in_the_environment_is_not_asked() {
    let scope = answering("proxied");
    let proxy = Proxy::in_front_of("127.0.0.1:1", Fault::Status(503)).unwrap();
    let mut command = command(&scope, &[]);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, format!("http://{}", proxy.host()));
    }
    healthy(&run(command, None).unwrap());
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn tcp_takes_a_connection_that_stays_open() {
    let scope = answering("tcp");
    let report = healthy(&probe(&scope, &["--tcp"]));
    assert_eq!(last_saw(&report), "connected");
    assert_eq!(report["probe"]["tcp"], true);
}

#[test]
fn tcp_is_not_fooled_by_the_engine_accepting_for_an_app_that_does_not_listen() {
    let scope = Scope::new("tcpboot");
    start(&scope, &Image::of(scope.app()).env("BOOT_MS", "600000"));
    let accepted = std::net::TcpStream::connect(published(&scope.candidate(), 8080).unwrap());
    assert_eq!(
        accepted.is_ok(),
        !on_podman(),
        "docker's own proxy accepts for the app"
    );
    let report = briefly(&scope, &["--tcp"]);
    let saw = last_saw(&report);
    assert_eq!(saw.starts_with("accepted, then "), !on_podman(), "{saw}");
}

#[test]
fn https_against_a_server_without_tls_is_30_and_says_tls() {
    let scope = answering("notls");
    let report = briefly(&scope, &["--https", "--timeout", "2s"]);
    let saw = last_saw(&report);
    assert!(saw.starts_with("over TLS: "), "{saw}");
}

#[test]
fn the_live_container_is_looked_at_on_request_only() {
    let scope = Scope::new("live");
    let publish = ["-p", "127.0.0.1::8080"];
    let id = start_as(scope.app(), &scope, &Image::of(scope.app()), &publish);
    failed(&probe(&scope, &[]), 31, "no_container");
    let report = healthy(&probe(&scope, &["--live"]));
    assert_eq!(report["container"], scope.app());
    assert!(report.get("candidate_id").is_none(), "{report}");
    assert_eq!(super::inspect(scope.app()).unwrap().unwrap()["Id"], id);
}

#[test]
fn any_container_can_be_named() {
    let scope = Scope::new("named");
    let name = format!("{}-other", scope.app());
    scope.also_container(&name);
    start_as(&name, &scope, &Image::of(scope.app()), unpublished());
    let mut command = step("probe-health").unwrap();
    command.args(["--candidate", &name]);
    let report = healthy(&run(command, None).unwrap());
    assert_eq!(report["candidate"], name);
    // What follows the name of a container is not taken for it.
    let mut command = step("probe-health").unwrap();
    command.args(["--candidate", &name[..name.len() - 1]]);
    failed(&run(command, None).unwrap(), 31, "no_container");
}

#[test]
fn a_url_is_asked_without_an_engine() {
    let scope = answering("url");
    let host_port = published(&scope.candidate(), 8080).unwrap();
    let ask = |url: &str| {
        let mut command = step("probe-health").unwrap();
        command.args(["--url", url]).args(BRIEFLY);
        command.env("DOCKER_HOST", "unix:///nowhere.sock");
        command.env("APP_PORT", "1");
        run(command, None).unwrap()
    };
    let url = format!("http://{host_port}/health");
    assert_eq!(healthy(&ask(&url))["target"], url);
    docker(["rm", "-f", &scope.candidate()]).unwrap();
    let report = failed(&ask(&url), 30, "unhealthy");
    assert_eq!(last_saw(&report), "connection refused");
}

#[test]
fn the_recipe_on_the_candidate_says_how_unless_a_flag_does() {
    let scope = Scope::new("recipe");
    let tag = format!("{}:v1", scope.app());
    Image::of(scope.app()).build(&tag).unwrap();
    let marks = Marks::candidate(scope.app(), &tag).unwrap();
    let marks = marks.probe(serde_json::json!({"path": "/nowhere"}));
    let words = ["-p", "127.0.0.1::8080", &tag];
    marks.run(&scope.candidate(), &words).unwrap();
    let report = briefly(&scope, &["--within", "1s"]);
    assert!(last_saw(&report).contains("404"), "{report}");
    healthy(&probe(&scope, &["--path", "/"]));
}
