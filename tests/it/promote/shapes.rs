//! Apps of other shapes: no port, one address of several, a network of their own, a live one that crashes all the time.

use stage::docker::docker;
use stage::ground::on_rootless_docker;

use crate::support::{App, eventually, failed, get, ok};

#[test]
fn an_app_that_publishes_nothing_is_promoted_without_a_port_to_watch() {
    let app = App::new("portless");
    for version in ["v1", "v2"] {
        let image = app.build(version);
        ok(&app.step("start-candidate", &["--image", &image.name]));
        app.prove_candidate();
        let promoted = app.promote(&[]);
        if on_rootless_docker() {
            // The new container, unlike the candidate, would have no address to be proven at.
            let report = failed(&promoted, 40, "no_candidate");
            assert!(report["error"]["hint"].to_string().contains("--publish"));
            assert_eq!(app.present(), ["-new"]);
            return;
        }
        let report = ok(&promoted);
        let live = app.container("").unwrap();
        assert_eq!(live["Image"], image.id.as_str());
        let bindings = live["HostConfig"]["PortBindings"].as_object().unwrap();
        assert!(
            bindings.values().all(serde_json::Value::is_null),
            "{bindings:?}"
        );
        assert_eq!(app.present(), [""]);
        assert_eq!(report["swap"]["probes"].as_u64().unwrap_or(0), 0);
    }
}

#[test]
fn two_apps_have_the_same_port_on_two_addresses() {
    let (left, right) = (App::new("address-a"), App::new("address-b"));
    for (app, address) in [(&left, "127.0.0.1"), (&right, "127.0.0.2")] {
        let publish = format!("{address}:{}:8080", left.port);
        for version in ["v1", "v2"] {
            let image = app.build(version);
            let flags = ["--image", &image.name, "--publish", &publish];
            ok(&app.step("start-candidate", &flags));
            app.prove_candidate();
            let promoted = app.promote(&[]);
            if on_rootless_docker() && address == "127.0.0.2" {
                // Its proxies all listen on one address of its own world.
                failed(&promoted, 42, "rolled_back_not_started");
                assert_eq!(left.answer(), "v2");
                return;
            }
            ok(&promoted);
            let at = format!("{address}:{}", left.port).parse().unwrap();
            assert_eq!(get(at, "/").unwrap(), version);
        }
    }
    let everywhere = format!("{}:8080", left.port);
    let image = left.build("v3");
    let flags = ["--image", &image.name, "--publish", &everywhere];
    ok(&left.step("start-candidate", &flags));
    left.prove_candidate();
    failed(&left.promote(&[]), 46, "port_taken");
    assert_eq!(left.present(), ["", "-new"]);
    assert_eq!(left.answer(), "v2");
}

#[test]
fn a_release_may_widen_its_port_from_one_address_to_all() {
    let app = App::new("wider");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let publish = format!("127.0.0.1:{}:8080", app.port);
    let flags = ["--image", &v1.name, "--publish", &publish];
    ok(&app.step("start-candidate", &flags));
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.deploy(&v2, &[]);
    app.assert_live(&v2);
    let elsewhere = format!("127.0.0.2:{}", app.port).parse().unwrap();
    assert_eq!(get(elsewhere, "/").unwrap(), "v2");
}

#[test]
fn a_network_of_the_apps_own_is_kept() {
    let app = App::new("network");
    let network = format!("net-of-{}", app.name());
    docker(["network", "create", &network]).unwrap();
    app.scope.at_end(["network", "rm", &network]);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    for image in [&v1, &v2] {
        app.deploy(image, &["--network", &network]);
        app.assert_live(image);
        let live = app.container("").unwrap();
        assert!(live["NetworkSettings"]["Networks"].get(&network).is_some());
    }
}

#[test]
fn a_live_container_that_crashes_again_and_again_is_replaced() {
    let app = App::new("loop");
    let bad = app.tagged(&app.image("bad").env("CRASH", "1"), "bad");
    let ports = format!("{}:8080", app.port);
    let by_hand = ["run", "-d", "--restart", "always", "-p", &ports];
    docker(by_hand.into_iter().chain(["--name", app.name(), &bad.name])).unwrap();
    eventually("it restarts", || {
        app.container("").unwrap()["RestartCount"].as_u64() > Some(1)
    });
    let v2 = app.build("v2");
    let report = app.deploy(&v2, &[]);
    assert_eq!(report["replaced"]["image_id"], bad.id.as_str());
    app.assert_live(&v2);
}
