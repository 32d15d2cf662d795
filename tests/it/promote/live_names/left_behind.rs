//! Who has something of the live container that no release can take over is named before anything is touched.

use stage::docker::{default_network, docker};
use stage::ground::on_podman;

use super::Called;
use crate::support::{failed, ok};

#[test]
fn who_shares_its_network_or_has_a_link_to_it_is_named() {
    let called = Called::new("cut-off", None);
    let app = &called.app;
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    docker(["run", "-d", "--name", app.name(), &v1.name]).unwrap();
    let [sidecar, linked] = ["sidecar", "linked"].map(|end| format!("{end}-of-{}", app.name()));
    app.scope.also_container(&sidecar);
    app.scope.also_container(&linked);
    let shared = format!("container:{}", app.name());
    docker([
        "run",
        "-d",
        "--name",
        &sidecar,
        "--network",
        &shared,
        "-e",
        "PORT=9",
        &v1.name,
    ])
    .unwrap();
    let mut named = vec![sidecar.as_str()];
    if !on_podman() {
        docker([
            "run",
            "-d",
            "--name",
            &linked,
            "--link",
            app.name(),
            &v1.name,
        ])
        .unwrap();
        named.push(&linked);
    }
    let started = app.step("start-candidate", &["--image", &v2.name]);
    let report = ok(&started);
    for (at, name) in named.iter().enumerate() {
        assert_eq!(report["cut_off"][at], *name, "{report}");
        assert!(
            started
                .stderr
                .contains(&format!("start-candidate: {name} ")),
            "{started:?}"
        );
    }
    let flags = ["--image", &v2.name, "--replace", "--", "--network", &shared];
    failed(&app.step("start-candidate", &flags), 22, "option_refused");
}

#[test]
fn a_network_that_the_next_release_cannot_be_on_is_named() {
    let called = Called::new("netless", None);
    let app = &called.app;
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    docker([
        "run",
        "-d",
        "--name",
        app.name(),
        "--network",
        &called.front,
        &v1.name,
    ])
    .unwrap();
    let flags = ["--image", &v2.name, "--", "--network", "none"];
    let started = app.step("start-candidate", &flags);
    let report = ok(&started);
    assert!(started.stderr.contains(&called.front), "{started:?}");
    assert_eq!(report["cut_off"], serde_json::Value::Null);
    assert!(!called.names("-new").contains_key(default_network()));
}
