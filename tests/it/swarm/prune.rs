//! Old images on a swarm: each node removes its own, and nothing runs there for it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{Sea, lacks_swarm};
use crate::support::{ok, text};

/// The images of the app on a node, by their tags.
fn images(sea: &Sea, node: usize) -> Vec<String> {
    let label = format!("label=app={}", sea.name());
    let list = ["image", "ls", "--filter", &label, "--format", "{{.Tag}}"];
    let said = sea.swarm.docker(node, &list).unwrap();
    let mut tags: Vec<String> = said.lines().map(str::to_owned).collect();
    tags.sort_unstable();
    tags
}

#[test]
fn on_a_swarm_prune_app_cleans_its_own_node_and_runs_nothing_on_the_others() {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("clean");
    // Whatever runs as this image's docker would leave a file on its node.
    let evil = sea.image("v1").env("DEPLOY_STEPS_DOCKER", "/bin/evil");
    let live = sea.push(&evil, "v1");
    sea.first(&live);
    let old = ["v0", "v00"].map(|version| sea.push(&sea.image(version), version));
    for image in &old {
        sea.swarm
            .everywhere(&["docker", "-H", "unix:///run/docker.sock", "pull", image])
            .unwrap();
    }
    let services = sea.swarm.docker(0, &["service", "ls", "-q"]).unwrap();
    let before = images(&sea, 1);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let since = since.as_secs().to_string();
    let report: Value = ok(&sea.step("prune-app", &["--keep", "0"]));
    let nodes = report["nodes"].as_array().unwrap();
    let mut names: Vec<&str> = nodes.iter().map(|node| text(&node["hostname"])).collect();
    names.sort_unstable();
    assert_eq!(names, ["node2", "node3"], "{report}");
    let run = format!("prune-app --app {} --keep 0", sea.name());
    for node in nodes {
        assert_eq!(node["run"], run.as_str(), "{report}");
        assert!(node.get("error").is_none(), "{report}");
    }
    assert_eq!(report["removed"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(images(&sea, 1), before);
    assert_eq!(
        sea.swarm.docker(0, &["service", "ls", "-q"]).unwrap(),
        services
    );
    let events = ["events", "--since", &since, "--until", "0s"];
    let made = ["--filter", "event=create", "--filter", "type=container"];
    let seen = sea.swarm.docker(1, &[&events[..], &made].concat());
    assert_eq!(seen.unwrap(), "");
}
