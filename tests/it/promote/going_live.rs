//! Releases that go live: the first one, the next one, one after a container made by hand, and back again.

use serde_json::json;
use stage::docker::docker;
use stage::steps::run;

use crate::bridge::has_bridge;
use crate::support::{App, failed, ok, text};

#[test]
fn the_first_deployment_needs_no_live_container() {
    let app = App::new("first");
    let v1 = app.build("v1");
    let report = app.deploy(&v1, &[]);
    app.assert_live(&v1);
    assert_eq!(report["step"], "promote");
    assert_eq!(report["app"], app.name());
    assert_eq!(report["container"], app.name());
    assert_eq!(report["container_id"], app.id("").as_str());
    assert_eq!(report["image"], v1.name.as_str());
    assert_eq!(report["image_id"], v1.id.as_str());
    assert_eq!(report["changed"], true);
    assert_eq!(report["carried_on"], false);
    for absent in ["replaced", "swap", "left_over"] {
        assert!(report.get(absent).is_none(), "{report}");
    }
}

#[test]
fn the_next_release_takes_the_place_and_the_port_of_the_live_one() {
    let app = App::new("next");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let old = app.id("");
    let report = app.deploy(&v2, &[]);
    app.assert_live(&v2);
    assert_ne!(app.id(""), old);
    assert_eq!(report["replaced"]["image"], v1.name.as_str());
    assert_eq!(report["replaced"]["image_id"], v1.id.as_str());
    let swap = &report["swap"];
    assert_eq!(swap["bridge"], if has_bridge() { "on" } else { "off" });
    assert!(swap["probes"].as_u64() > Some(0), "{report}");
    assert!(
        swap["probes"].as_u64() > swap["failed"].as_u64(),
        "{report}"
    );
    assert!(swap["longest_gap_ms"].as_u64() > Some(0), "{report}");
    assert_eq!(docker(["ps", "-aqf", &format!("id={old}")]).unwrap(), "");
}

#[test]
fn a_live_container_started_by_hand_is_taken_over_and_named_as_replaced() {
    let app = App::new("hand");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let ports = format!("{}:8080", app.port);
    let by_hand = ["run", "-d", "--restart", "always", "-p", &ports];
    docker(by_hand.into_iter().chain(["--name", app.name(), &v1.name])).unwrap();

    // Without --publish: the ports are those of the live container.
    ok(&app.step("start-candidate", &["--image", &v2.name]));
    app.prove_candidate();
    let report = ok(&app.promote(&[]));
    app.assert_live(&v2);
    // Podman says in full what a short name is short for.
    let replaced = text(&report["replaced"]["image"]);
    assert_eq!(replaced.trim_start_matches("localhost/"), v1.name);
    assert_eq!(report["replaced"]["image_id"], v1.id.as_str());
    assert!(report["swap"]["probes"].as_u64() > Some(0), "{report}");

    // It had no run options.
    ok(&app.step("start-candidate", &["--previous", "--", "--"]));
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.assert_live(&v1);
}

#[test]
fn a_live_container_that_is_down_is_replaced_as_well() {
    let app = App::new("down");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    docker(["stop", "-t", "1", app.name()]).unwrap();
    let report = app.deploy(&v2, &[]);
    app.assert_live(&v2);
    assert_eq!(report["replaced"]["image_id"], v1.id.as_str());
}

#[test]
fn the_previous_release_comes_back_with_its_own_options_and_ports() {
    let app = App::new("back");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let same = ["-e", "SIZE=7"];
    app.deploy(
        &v1,
        &[&same[..], &["-e", "COLOR=blue", "--shm-size", "16m"]].concat(),
    );
    app.candidate(&v2, &[&same[..], &["-e", "COLOR=red"]].concat());
    let report = ok(&app.promote(&[]));
    // No label has the value, and the one container that had it is gone.
    let gone = json!({"open": false, "missing": ["COLOR"]});
    assert_eq!(report["way_back"], gone, "{report}");
    let report = failed(
        &app.step("start-candidate", &["--previous"]),
        27,
        "values_gone",
    );
    assert_eq!(report["missing"], json!(["COLOR"]), "{report}");
    assert_eq!(app.present(), [""]);

    let again = [
        &["--previous", "--"][..],
        &same,
        &["-e", "COLOR=blue", "--shm-size", "16m"],
    ];
    ok(&app.step("start-candidate", &again.concat()));
    app.prove_candidate();
    let report = ok(&app.promote(&[]));
    app.assert_live(&v1);
    assert_eq!(report["image"], v1.name.as_str());
    assert_eq!(report["replaced"]["image_id"], v2.id.as_str());
    let live = app.container("").unwrap();
    let env = live["Config"]["Env"].to_string();
    assert!(
        env.contains("COLOR=blue") && env.contains("SIZE=7"),
        "{env}"
    );
    assert_eq!(live["HostConfig"]["ShmSize"], 16 << 20);
}

#[test]
fn values_that_the_live_release_has_too_come_back_without_being_given_again() {
    let app = App::new("lent");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &["-e", "SIZE=7"]);
    app.candidate(&v2, &["-e", "SIZE=7", "-e", "COLOR=red"]);
    let report = ok(&app.promote(&[]));
    assert_eq!(report["way_back"], json!({"open": true}), "{report}");
    let started = app.step("start-candidate", &["--previous"]);
    assert_eq!(ok(&started)["values_from_live"], json!(["SIZE"]));
    assert!(started.stderr.contains("SIZE"), "{started:?}");
    app.prove_candidate();
    ok(&app.promote(&[]));
    app.assert_live(&v1);
    let env = app.container("").unwrap()["Config"]["Env"].to_string();
    assert!(env.contains("SIZE=7") && !env.contains("COLOR"), "{env}");
}

#[test]
fn the_same_release_again_still_goes_back_to_the_one_before() {
    let app = App::new("same");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.deploy(&v2, &[]);
    let report = app.deploy(&v2, &[]);
    assert_eq!(report["replaced"]["image_id"], v1.id.as_str());
    app.assert_live(&v2);
}

#[test]
fn a_promotion_asked_for_again_changes_nothing() {
    let app = App::new("again");
    let v1 = app.build("v1");
    let probed = app.candidate(&v1, &[]);
    let from = || run(app.command("promote", &["--from", "-"]), Some(&probed)).unwrap();
    assert_eq!(ok(&from())["changed"], true);
    let live = app.id("");
    let again = ok(&from());
    assert_eq!(again["changed"], false);
    assert_eq!(again["container_id"], live.as_str());
    assert_eq!(again["image_id"], v1.id.as_str());

    // Without the report nobody can tell it from a deployment that forgot its candidate.
    let report = failed(&app.promote(&[]), 40, "no_candidate");
    assert!(
        text(&report["error"]["message"]).contains(&v1.name),
        "{report}"
    );
    app.assert_live(&v1);
    assert_eq!(app.id(""), live);
}

#[test]
fn the_restart_policy_is_the_one_asked_for() {
    let app = App::new("restart");
    let v1 = app.build("v1");
    for policy in ["no", "unless-stopped", "on-failure"] {
        app.candidate(&v1, &[]);
        ok(&app.promote(&["--restart", policy]));
        let live = app.container("").unwrap();
        assert_eq!(live["HostConfig"]["RestartPolicy"]["Name"], policy);
        assert_eq!(app.answer(), "v1");
    }
}

#[test]
fn without_a_flag_the_restart_policy_is_the_live_containers_or_always() {
    let app = App::new("policy");
    let v1 = app.build("v1");
    let ports = format!("{}:8080", app.port);
    let by_hand = ["run", "-d", "--restart", "on-failure:5", "-p", &ports];
    docker(by_hand.into_iter().chain(["--name", app.name(), &v1.name])).unwrap();
    let policy = || app.container("").unwrap()["HostConfig"]["RestartPolicy"].clone();
    let by_hand = policy();
    for _ in 0..2 {
        app.candidate(&v1, &[]);
        ok(&app.promote(&[]));
        assert_eq!(policy(), by_hand);
    }
    app.candidate(&v1, &[]);
    ok(&app.promote(&["--restart", "on-failure:2"]));
    assert_eq!(policy()["MaximumRetryCount"], 2);
    for asked in [&["--restart", "no"][..], &[]] {
        app.candidate(&v1, &[]);
        ok(&app.promote(asked));
    }
    assert_eq!(
        policy()["Name"],
        "always",
        "one that stays down says nothing"
    );
}

#[test]
fn the_container_may_have_another_name_than_the_app() {
    let app = App::new("other");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    let name = format!("box-of-{}", app.name());
    for end in ["", "-new", "-old", "-next"] {
        app.scope.also_container(&format!("{name}{end}"));
    }
    let publish = format!("{}:8080", app.port);
    let named = ["--container", &name];
    for image in [&v1, &v2] {
        let what = ["--image", &image.name, "--publish", &publish];
        ok(&app.step("start-candidate", &[&named[..], &what].concat()));
        ok(&app.step("probe-health", &named));
        let report = ok(&app.promote(&named));
        assert_eq!(report["app"], app.name());
        assert_eq!(report["container"], name.as_str());
    }
    let live = stage::docker::inspect(&name).unwrap().unwrap();
    assert_eq!(live["Image"], v2.id.as_str());
    assert_eq!(live["Config"]["Labels"]["deploy-steps.app"], app.name());
    assert_eq!(app.answer(), "v2");
    assert!(app.present().is_empty());
}

#[test]
fn only_the_replaced_containers_anonymous_volume_outlives_it() {
    let app = App::new("volume");
    let image = |version: &str| app.tagged(&app.image(version).change("VOLUME /data"), version);
    let (v1, v2) = (image("v1"), image("v2"));
    let volume = |end: &str| text(&app.container(end).unwrap()["Mounts"][0]["Name"]).to_owned();
    let exists = |name: &str| docker(["volume", "inspect", name]).is_ok();
    app.deploy(&v1, &[]);
    let old = volume("");
    app.scope.at_end(["volume", "rm", &old]);
    app.candidate(&v2, &[]);
    let candidates = volume("-new");
    let report = ok(&app.promote(&[]));
    assert_eq!(report["volumes_left"], serde_json::json!([old]));
    app.assert_live(&v2);
    assert!(exists(&old), "data of the release that was live is gone");
    assert!(!exists(&candidates));
    assert!(exists(&volume("")));
}
