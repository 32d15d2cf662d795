//! A port of every node, which the kernel leads to the tasks where it has IPVS.

use std::path::Path;
use std::thread;
use std::time::Duration;

use stage::load::Load;

use super::{Sea, lacks_swarm};
use crate::support::{eventually, failed, free_port, ok};

#[test]
fn a_port_of_every_node_answers_through_a_release_where_the_kernel_can_lead_it_and_is_refused_elsewhere()
 {
    if lacks_swarm() {
        return;
    }
    let sea = Sea::new("ports");
    let v1 = sea.push(&sea.image("v1"), "v1");
    ok(&sea.step("pull-image", &[&v1]));
    let publish = format!("{}:8080", free_port());
    let start = |image: &str, more: &[&str]| {
        sea.step("start-candidate", &[&["--image", image], more].concat())
    };
    let network = sea.network();
    let first = ["--publish", &publish, "--", "--network", &network];
    let started = start(&v1, &first);
    if !Path::new("/proc/net/ip_vs").exists() {
        let report = failed(&started, 22, "option_refused");
        let message = report["error"]["message"].to_string();
        assert!(message.contains("IPVS"), "{report}");
        return;
    }
    ok(&started);
    ok(&sea.step("probe-health", &[]));
    ok(&sea.step("promote", &["--replicas", "3", "--monitor", "1s"]));
    let (port, _) = publish.split_once(':').unwrap();
    let at = |node| format!("{}:{port}", sea.swarm.address(node));
    eventually("every node answers", || {
        (0..3).all(|node| once(&at(node)) == 0)
    });

    let v2 = sea.push(&sea.image("v2"), "v2");
    let loads = [0, 1, 2].map(|node| Load::to(&at(node), "/", 20));
    ok(&sea.step("pull-image", &[&v2]));
    ok(&start(&v2, &["--publish", &publish]));
    ok(&sea.step("probe-health", &[]));
    ok(&sea.step("promote", &["--monitor", "1s"]));
    thread::sleep(Duration::from_secs(1));
    for seen in loads.map(Load::stop) {
        assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
        assert_eq!(seen.versions(), ["v1", "v2"]);
    }
}

/// How many of a few requests failed.
fn once(target: &str) -> usize {
    let load = Load::to(target, "/", 10);
    thread::sleep(Duration::from_millis(300));
    load.stop().failed()
}
