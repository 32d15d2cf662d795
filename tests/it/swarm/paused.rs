//! Where Swarm itself stops on the way back, promote leaves it so, and what it says to do is right.

use std::thread;

use stage::steps::{Run, run};
use stage::swarm::NODES;

use super::{Sea, lacks_swarm};
use crate::support::{eventually, failed, ok, text};

#[test]
fn a_rollback_that_swarm_has_paused_is_not_rolled_back_and_the_hint_leads_on() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("paused");
    // A folder of the node, in which the test says when.
    let v1 = sea.image("v1").env("SICK_FILE", "/lock/sick");
    let (v1, v2) = (sea.push(&v1, "v1"), sea.push(&sea.image("v2"), "v2"));
    let lock = "type=bind,source=/run/lock,target=/lock";
    sea.candidate(&v1, &["--network", &sea.network(), "--mount", lock]);
    ok(&sea.step("promote", &["--replicas", "2", "--monitor", "1s"]));

    sea.candidate(&v2, &[]);
    let report = failed(&lost_on_both_ways(&sea, &v2), 43, "rollback_failed");
    let state = "{{.UpdateStatus.State}}";
    assert_eq!(sea.service(sea.name(), state), "rollback_paused");
    let hint = text(&report["error"]["hint"]);
    assert!(!hint.contains("docker service rollback"), "{report}");
    let order = format!("docker service update --force {}", sea.name());
    assert!(hint.contains(&order), "{report}");
    // The release before is what is specified, and nothing that is done later says that all is well.
    ok(&sea.step("prune-app", &["--candidate"]));
    failed(&sea.step("promote", &[]), 43, "rollback_failed");
    let image = "{{.Spec.TaskTemplate.ContainerSpec.Image}}";
    assert!(sea.service(sea.name(), image).starts_with(&v1));

    sea.swarm.everywhere(&["rm", "/run/lock/sick"]).unwrap();
    let words: Vec<&str> = order.split(' ').skip(1).collect();
    sea.swarm.docker(0, &words).unwrap();
    assert_eq!(sea.service(sea.name(), state), "completed");
    assert!(run_all(&sea, &v1), "{:?}", sea.tasks());
}

/// Promotes it; when its tasks run, the release before is made sick and one of them is killed.
fn lost_on_both_ways(sea: &Sea, image: &str) -> Run {
    let flags = ["--parallelism", "2", "--monitor", "20s"];
    let promote = sea.command("promote", &flags);
    let promotion = thread::spawn(move || run(promote, None).unwrap());
    eventually("the tasks of the new release run", || run_all(sea, image));
    sea.swarm.everywhere(&["touch", "/run/lock/sick"]).unwrap();
    let service = format!("label=com.docker.swarm.service.name={}", sea.name());
    let shown = "{{.ID}} {{.Image}}";
    let listed = ["ps", "--no-trunc", "--filter", &service, "--format", shown];
    let killed = (0..NODES).find(|&node| {
        let all = sea.swarm.docker(node, &listed).unwrap();
        let mut all = all.lines().filter_map(|line| line.split_once(' '));
        // One of the release before may be about to end.
        let new = all.find(|(_, of)| of.starts_with(image));
        new.is_some_and(|(id, _)| sea.swarm.docker(node, &["kill", id]).is_ok())
    });
    assert!(killed.is_some());
    promotion.join().unwrap()
}

/// Two tasks are wanted, of this image, and they run.
fn run_all(sea: &Sea, image: &str) -> bool {
    let tasks = sea.tasks();
    let runs = |task: &String| task.starts_with(image) && task.contains(" Running ");
    tasks.len() == 2 && tasks.iter().all(runs)
}
