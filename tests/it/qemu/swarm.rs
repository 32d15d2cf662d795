//! The ingress of a swarm, whose ports the kernel leads to the tasks by IPVS.

use std::path::Path;

use stage::cargo;
use stage::process::Run;

use super::Guest;
use crate::support::ok;

const CONFIG: &str = r"version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/images}}
http: {addr: 127.0.0.1:5000}";

const CHANGES: [&str; 2] = [
    "ENV GRACEFUL=1",
    r#"HEALTHCHECK --interval=10s --timeout=60s --retries=3 CMD ["/demo-app", "healthy"]"#,
];

/// The load from outside, led to the tasks of one node by IPVS.
#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn a_port_of_a_swarm_answers_clients_outside_through_a_release() {
    let guest = Guest::boot();
    let prepare = format!(
        "echo '{CONFIG}' >/run/images.yml && systemd-run --quiet docker-registry serve /run/images.yml \
         && docker swarm init --advertise-addr 10.0.2.15 \
         && docker network create -d overlay --attachable web-net"
    );
    guest.vm.ok(&prepare).unwrap();
    for version in ["v1", "v2"] {
        guest.build(version, &CHANGES);
        let there = image(version);
        let push = format!("docker tag web:{version} {there} && docker push {there}");
        guest.vm.ok(&push).unwrap();
    }
    release(&guest, "v1");
    assert_eq!(guest.answers(), "v1");
    guest.unnoticed("v2 over v1 by IPVS", &["v1", "v2"], || {
        release(&guest, "v2");
    });
    let led = "nsenter --net=/run/docker/netns/ingress_sbox cat /proc/net/ip_vs";
    let led = guest.vm.ok(led).unwrap();
    assert!(led.contains("FWM"), "{led}");
}

fn image(version: &str) -> String {
    format!("127.0.0.1:5000/web:{version}")
}

fn release(guest: &Guest, version: &str) {
    let image = image(version);
    ok(&step(guest, "pull-image", &image));
    let start = format!("--image {image} --publish 8080:8080 -- --network web-net");
    ok(&step(guest, "start-candidate", &start));
    ok(&step(guest, "probe-health", "--within 10m"));
    ok(&step(
        guest,
        "promote",
        "--replicas 2 --monitor 5s --within 10m",
    ));
}

/// What runs in containers of the nodes is linked statically.
fn step(guest: &Guest, step: &str, flags: &str) -> Run {
    let folder: &Path = match step {
        "probe-health" => cargo::static_steps().unwrap(),
        _ => cargo::steps().unwrap(),
    };
    let line = Guest::line(folder, step, &format!("--swarm {flags}"));
    guest.vm.sh(&line).unwrap()
}
