//! What breaks in the middle: promote itself, a node, the manager; and what is refused before.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use stage::load::Outcome;

use super::machine::Front;
use super::{Sea, lacks_swarm};
use crate::support::{eventually, failed, ok, text};

/// Not the manager, and not where the proxy is.
const LOST: usize = 1;

/// As long as a machine takes to boot at least, and longer than the others take to notice that it is gone.
const AWAY: Duration = Duration::from_secs(10);

#[test]
fn a_promotion_on_a_swarm_outlives_its_own_end_a_lost_node_and_a_manager_that_restarts() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::to_be_broken("breaks");
    let build = |version: &str| sea.push(&sea.image(version), version);
    let [v1, v2, v3, v4] = ["v1", "v2", "v3", "v4"].map(build);
    sea.first(&v1);
    let front = Front::start(&sea, &v1);

    front.unnoticed("promote is killed and run again", &["v1", "v2"], || {
        sea.candidate(&v2, &[]);
        begin(&sea, &v2).kill().unwrap();
        let report = ok(&sea.step("promote", &[]));
        assert_eq!(report["carried_on"], true);
    });
    sea.assert_live(&v2);

    sea.candidate(&v3, &[]);
    let (report, seen) = front.watch("a node is lost in the middle", || {
        let promotion = begin(&sea, &v3);
        sea.swarm.cut(LOST);
        let ended = promotion.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
        report
    });
    assert_few_failed(&seen);
    if report["ok"] != true {
        // Swarm may wait for ever for a task that was starting over there, or has heard of its end.
        assert_given_up(&sea, &report);
        front.unnoticed("the same release on two nodes", &["v2", "v3"], || {
            once_more(&sea, &v3);
        });
    }
    sea.assert_live(&v3);
    sea.swarm.whole().unwrap();

    sea.candidate(&v4, &[]);
    let promotion = begin(&sea, &v4);
    let (ended, seen) = front.watch("the manager is lost in the middle", || {
        sea.swarm.cut(0);
        thread::sleep(AWAY);
        promotion.wait_with_output().unwrap()
    });
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report["error"]["code"], 4, "{report}");
    // The tasks on it are gone, and the others serve.
    assert_few_failed(&seen);
    let ((), seen) = front.watch("the manager is back", || {
        sea.swarm.boot(0).unwrap();
        // The same command again, as soon as the manager manages.
        eventually("the manager is back", || {
            sea.swarm
                .docker(0, &["service", "inspect", sea.name()])
                .is_ok()
        });
        let report = sea.step("promote", &[]).json().unwrap();
        if report["ok"] == true {
            assert_eq!(report["carried_on"], true);
        } else {
            // A manager that has just booted may start tasks before it has their network again, and wait for others for ever,
            // or goes back by itself, which then is under way.
            if report["error"]["code"] != 45 {
                assert_given_up(&sea, &report);
            }
            eventually("Swarm is not on its way back", || {
                sea.service(sea.name(), "{{.UpdateStatus.State}}") != "rollback_started"
            });
            once_more(&sea, &v4);
        }
    });
    // What it starts on itself has no name elsewhere until the others have met it again, and for that it stops theirs.
    let (failed, sent) = (seen.failed(), seen.sent());
    assert!(failed * 2 <= sent, "{failed} of {sent}: {:?}", seen.kinds());
    sea.assert_live(&v4);
}

/// Swarm has gone back, by itself or because nothing went on.
fn assert_given_up(sea: &Sea, report: &Value) {
    let code = report["error"]["code"].as_i64();
    assert!(matches!(code, Some(41 | 42)), "{report}");
    assert_eq!(report["rolled_back_to"], sea.name(), "{report}");
}

/// The release that was given up, from its candidate on.
fn once_more(sea: &Sea, image: &str) {
    ok(&sea.step("start-candidate", &["--image", image, "--replace"]));
    ok(&sea.step("probe-health", &[]));
    ok(&sea.step("promote", &["--monitor", "1s"]));
}

/// What a machine was answering is lost with it, all else finds another task.
fn assert_few_failed(seen: &Outcome) {
    let (failed, sent) = (seen.failed(), seen.sent());
    assert!(failed <= 5, "{failed} of {sent}: {:?}", seen.kinds());
}

/// A promotion whose update is under way.
fn begin(sea: &Sea, image: &str) -> std::process::Child {
    let mut promote = sea.command(
        "promote",
        &["--monitor", "3s", "--within", "20s", "--quiet"],
    );
    let child = promote
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the update is under way", || {
        sea.tasks().iter().any(|task| task.starts_with(image))
    });
    thread::sleep(Duration::from_secs(1));
    child
}

#[test]
fn what_does_not_belong_on_a_swarm_is_refused_before_anything_is_done() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("refused");
    let v1 = sea.push(&sea.image("v1"), "v1");
    let mut elsewhere = sea.command("pull-image", &[&v1]);
    elsewhere.env("DOCKER_HOST", sea.swarm.host(1));
    let worker = stage::steps::run(elsewhere, None).unwrap();
    let report = failed(&worker, 8, "no_manager");
    assert!(
        text(&report["error"]["message"]).contains("worker"),
        "{report}"
    );

    failed(&sea.step("promote", &[]), 40, "no_candidate");
    failed(&sea.step("probe-health", &[]), 31, "no_container");
    failed(
        &sea.step("start-candidate", &["--image", &v1]),
        20,
        "image_absent",
    );
    ok(&sea.step("pull-image", &[&v1]));
    for options in [
        &["--replicas", "2"][..],
        &["-p", "80:8080"],
        &["--no-such-option"],
    ] {
        let start = [&["--image", &v1, "--"][..], options].concat();
        failed(&sea.step("start-candidate", &start), 22, "option_refused");
    }
    let alias = format!("name={},alias=web", sea.network());
    let start = ["--image", &v1, "--", "--network", &alias];
    failed(&sea.step("start-candidate", &start), 22, "option_refused");
    assert!(!sea.is_there(&sea.app.scope.candidate()));

    ok(&sea.step("start-candidate", &["--image", &v1, "--deploy-id", "7"]));
    failed(
        &sea.step("start-candidate", &["--image", &v1]),
        21,
        "candidate_exists",
    );
    let late = ["--image", &v1, "--replace", "--deploy-id", "6"];
    failed(&sea.step("start-candidate", &late), 26, "outdated");
    failed(&sea.step("probe-health", &[]), 33, "no_address");
    failed(
        &sea.step("probe-health", &["--exec", "true"]),
        33,
        "no_address",
    );
    ok(&sea.step("probe-health", &["--docker-health"]));
}
