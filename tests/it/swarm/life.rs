//! A service's life: releases good, sick and stuck, the way back, and pruning on every node.

use std::thread;

use stage::steps::run;

use super::machine::Front;
use super::{Sea, lacks_swarm};
use crate::support::{eventually, failed, ok, text};

#[test]
fn on_a_swarm_releases_come_and_go_and_no_request_fails() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("life");
    let v1 = sea.push(&sea.image("v1"), "v1");
    let report = sea.first(&v1);
    assert_eq!(report["tasks"].as_array().unwrap().len(), 3);
    sea.assert_live(&v1);
    let front = Front::start(&sea, &v1);

    let v2 = sea.push(&sea.image("v2"), "v2");
    let env = ["--env", "KEPT=1", "--limit-memory", "64M"];
    let began = std::time::Instant::now();
    front.unnoticed("a deployment", &["v1", "v2"], || {
        sea.candidate(&v2, &env);
        let report = ok(&sea.step("promote", &["--monitor", "1s"]));
        assert_eq!(report["replaced"]["image"], v1.as_str());
        let (whole, promote) = (began.elapsed().as_millis(), &report["took_ms"]);
        crate::bridge::say(&format!(
            "swarm, a deployment took {whole} ms, {promote} of them promote"
        ));
    });
    sea.assert_live(&v2);
    let spec = "{{json .Spec.TaskTemplate}}";
    let live = sea.service(sea.name(), spec);
    assert!(
        live.contains("KEPT=1") && live.contains("67108864"),
        "{live}"
    );
    assert_eq!(ok(&sea.step("promote", &[]))["changed"], false);

    let crashes = sea.push(&sea.image("v3").env("CRASH", "1"), "v3");
    front.unnoticed("a release that crashes", &["v2"], || {
        ok(&sea.step("pull-image", &[&crashes]));
        ok(&sea.step("start-candidate", &["--image", &crashes]));
        let report = failed(&sea.step("probe-health", &[]), 32, "crashed");
        assert_eq!(report["exit_code"], 3, "{report}");
        assert!(
            report["log"].to_string().contains("told to crash"),
            "{report}"
        );
        ok(&sea.step("prune-app", &["--candidate"]));
    });

    front.unfailing("sick once it is live", || falls_sick(&sea));
    sea.assert_live(&v2);

    front.unfailing("a stuck update", || gets_stuck(&sea));
    sea.assert_live(&v2);
    assert_eq!(sea.service(sea.name(), spec), live);

    ok(&sea.step("prune-app", &["--keep", "0"]));
    // It is there, as what to go back to; and goes as by a cleaning by hand, or on a manager that never had it.
    sea.swarm.docker(0, &["image", "rm", "-f", &v1]).unwrap();

    front.unnoticed("back to the release before", &["v2", "v1"], || {
        ok(&sea.step("start-candidate", &["--previous"]));
        ok(&sea.step("probe-health", &[]));
        ok(&sea.step("promote", &["--monitor", "1s"]));
    });
    sea.assert_live(&v1);
    let pruned = ok(&sea.step("prune-app", &["--keep", "0"]));
    assert_eq!(pruned["kept"][0]["why"], "in_use", "{pruned}");
    // Used by nothing, it went with this prune or with an earlier one, as soon as its task was forgotten.
    let left = sea
        .swarm
        .docker(0, &["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])
        .unwrap();
    assert!(!left.contains(&crashes), "{left}");
    // By its digest: so it was pulled again.
    let pinned = "{{.Spec.TaskTemplate.ContainerSpec.Image}}";
    let pinned = sea.service(sea.name(), pinned);
    assert!(pinned.starts_with(&v1), "{pinned}");
    sea.swarm.docker(0, &["image", "inspect", &pinned]).unwrap();
}

/// Healthy as a candidate, sick among the live ones.
fn falls_sick(sea: &Sea) {
    let image = sea.push(&sea.image("v4").env("SICK_FILE", "/lock/sick"), "v4");
    // A folder of the node, in which the test says when.
    let lock = ["--mount", "type=bind,source=/run/lock,target=/lock"];
    sea.candidate(&image, &lock);
    let mut promote = sea.command("promote", &["--monitor", "20s"]);
    let promotion = thread::spawn(move || {
        run(
            std::mem::replace(&mut promote, std::process::Command::new("true")),
            None,
        )
        .unwrap()
    });
    let image_of = "{{.Spec.TaskTemplate.ContainerSpec.Image}}";
    eventually("a task of the new release runs", || {
        sea.service(sea.name(), image_of).starts_with(&image)
            && sea
                .tasks()
                .iter()
                .any(|it| it.starts_with(&image) && it.contains(" Running "))
    });
    sea.swarm.everywhere(&["touch", "/run/lock/sick"]).unwrap();
    let report = failed(&promotion.join().unwrap(), 41, "rolled_back_unhealthy");
    sea.swarm.everywhere(&["rm", "/run/lock/sick"]).unwrap();
    assert_eq!(report["rolled_back_to"], sea.name());
    // It ended well when it was told to, for its bad health.
    assert!(
        text(&report["error"]["message"]).contains("complete"),
        "{report}"
    );
    ok(&sea.step("prune-app", &["--candidate"]));
}

/// One node has room for the candidate, none for the last of three.
fn gets_stuck(sea: &Sea) {
    let image = sea.push(&sea.image("v5"), "v5");
    let cpus = thread::available_parallelism().unwrap().get();
    // More than half of a machine: one such task each, and the candidate is one.
    let most = format!("{}", cpus as f64 * 0.6);
    sea.candidate(&image, &["--reserve-cpu", &most]);
    let promote = sea.step("promote", &["--monitor", "1s", "--within", "5s"]);
    let report = failed(&promote, 42, "rolled_back_not_started");
    assert_eq!(report["rolled_back_to"], sea.name());
    assert!(
        text(&report["error"]["message"]).contains("no suitable node"),
        "{report}"
    );
    ok(&sea.step("prune-app", &["--candidate"]));
}
