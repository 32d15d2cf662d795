//! Candidates that a proxy would find by itself, and call before they are verified.

use stage::steps::Run;

use super::nothing_left;
use crate::support::{App, failed, ok, text};

fn refused(run: &Run, name: &str) {
    let error = &failed(run, 22, "option_refused")["error"];
    let message = text(&error["message"]);
    assert!(
        message.contains(name) && !message.contains("example"),
        "{message}"
    );
    assert!(
        text(&error["hint"]).contains("--network and --alias"),
        "{error}"
    );
}

#[test]
fn what_a_proxy_follows_is_22_whether_it_is_given_or_comes_with_the_image() {
    let app = App::new("followed");
    let image = app.build("v1");
    let start = |flags: &[&str], options: &[&str]| {
        let all = [flags, &["--image", &image.name, "--"], options].concat();
        app.step("start-candidate", &all)
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    std::fs::write(&file, "VIRTUAL_HOST=example.com\n").unwrap();
    for (options, name) in [
        (
            [
                "--label",
                "traefik.http.routers.web.rule=Host(`example.com`)",
            ],
            "label traefik.http.routers.web.rule",
        ),
        (["--label", "caddy=example.com"], "label caddy"),
        (
            ["--env", "VIRTUAL_HOST=example.com"],
            "variable VIRTUAL_HOST",
        ),
        (
            ["--env-file", file.to_str().unwrap()],
            "variable VIRTUAL_HOST",
        ),
    ] {
        refused(&start(&[], &options), name);
        nothing_left(&app);
    }
    refused(
        &start(
            &["--proxy-follows", "edge.*"],
            &["--label", "edge.host=example.com"],
        ),
        "label edge.host",
    );
    let labelled = app.image("v2").change("LABEL traefik.enable=true");
    let labelled = app.tagged(&labelled, "v2");
    refused(
        &app.step("start-candidate", &["--image", &labelled.name]),
        "label traefik.enable",
    );
    nothing_left(&app);
    ok(&start(
        &[],
        &[
            "--label",
            "traefik.enable=false",
            "--label",
            "edge.host=example.com",
        ],
    ));
}
