//! A memory limit that the kernel keeps, on cgroup v2.

use super::Guest;
use crate::support::{failed, ok};

const LIMITED: &str = "-- --memory 24m --memory-swap 24m";

#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn a_candidate_that_runs_out_of_memory_is_32_and_a_limit_is_the_final_containers_too() {
    let guest = Guest::boot();
    guest.build("v1", &[]);
    guest.build("hungry", &["ENV EAT_MB=256"]);
    guest.deploy("v1");
    guest.unnoticed("out of memory", &["v1"], || {
        let flags = format!("--image web:hungry --publish 8080:8080 {LIMITED}");
        ok(&guest.step("start-candidate", &flags));
        let report = failed(&guest.step("probe-health", "--within 2m"), 32, "crashed");
        assert_eq!(report["exit_code"], 137, "{report}");
        assert_eq!(report["oom_killed"], true, "{report}");
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
