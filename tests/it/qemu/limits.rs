//! A memory limit that the kernel keeps, on cgroup v2.

use super::Guest;
use crate::support::{failed, ok, text};

const LIMITED: &str = "-- --memory 24m --memory-swap 24m";

/// The engine does not hear of each time that memory ran out.
const TRIES: u32 = 5;

#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn a_candidate_that_runs_out_of_memory_is_32_and_a_limit_is_the_final_containers_too() {
    let guest = Guest::boot();
    guest.build("v1", &[]);
    guest.build("hungry", &["ENV EAT_MB=256"]);
    guest.deploy("v1");
    guest.unnoticed("out of memory", &["v1"], || {
        let noticed = (0..TRIES).any(|_| runs_out(&guest));
        assert!(noticed, "the engine noticed none of {TRIES}");
        failed(&guest.step("promote", ""), 40, "no_candidate");
        ok(&guest.step("prune-app", "--candidate"));
    });
    guest.build("v2", &[]);
    guest.candidate("v2", LIMITED);
    ok(&guest.step("promote", ""));
    guest.assert_live("v2");
    let asked = "cat /sys/fs/cgroup$(cut -d: -f3 \
                 /proc/$(docker inspect -f '{{.State.Pid}}' web)/cgroup)/memory.max";
    assert_eq!(guest.vm.ok(asked).unwrap(), (24 << 20).to_string());
}

/// Whether the report says of the candidate what the kernel did; it says what the engine says.
fn runs_out(guest: &Guest) -> bool {
    let flags = format!("--image web:hungry --replace --publish 8080:8080 {LIMITED}");
    ok(&guest.step("start-candidate", &flags));
    let report = failed(&guest.step("probe-health", "--within 2m"), 32, "crashed");
    assert_eq!(report["exit_code"], 137, "{report}");
    let message = text(&report["error"]["message"]);
    assert!(message.contains("memory"), "{message}");
    let asked = "docker inspect -f '{{.State.OOMKilled}}' web-new";
    let engine_says = guest.vm.ok(asked).unwrap() == "true";
    assert_eq!(report["oom_killed"], engine_says, "{report}");
    engine_says
}
