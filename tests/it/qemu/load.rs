//! Deployments while clients outside of the machine ask.

use super::Guest;
use crate::support::ok;

#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn no_client_outside_notices_deployments_and_containers_are_confined_by_apparmor() {
    let guest = Guest::boot();
    guest.build("v1", &["ENV SLOW_MS=50"]);
    guest.build("v2", &[]);
    guest.deploy("v1");
    for (old, new) in [("v1", "v2"), ("v2", "v1")] {
        guest.unnoticed(&format!("{new} over {old}"), &[old, new], || {
            guest.candidate(new, "");
            assert_confined(&guest, "web-new");
            let report = ok(&guest.step("promote", ""));
            assert_eq!(report["swap"]["bridge"], "on", "{report}");
            ok(&guest.step("prune-app", ""));
        });
        guest.assert_live(new);
        assert_confined(&guest, "web");
    }
}

/// AppArmor is on, and the engine's profile is enforced on the container.
fn assert_confined(guest: &Guest, container: &str) {
    let asked = format!(
        "cat /sys/module/apparmor/parameters/enabled; \
         cat /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {container})/attr/current"
    );
    let said = guest.vm.ok(&asked).unwrap();
    assert_eq!(said, "Y\ndocker-default (enforce)", "{container}");
}
