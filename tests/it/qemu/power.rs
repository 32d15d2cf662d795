//! The plug is pulled, or the machine reboots, in the middle of a promotion.

use std::io::Write;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use stage::cargo;

use super::Guest;
use crate::bridge::say;
use crate::support::ok;

const PLUGS: u32 = 10;
const REBOOTS: u32 = 3;

/// A machine with two releases of which one is live, and how long a promotion takes there.
fn prepared() -> (Guest, Duration) {
    let guest = Guest::boot();
    for version in ["v1", "v2"] {
        guest.build(version, &[]);
    }
    guest.deploy("v1");
    guest.candidate("v2", "");
    let report = ok(&guest.step("promote", ""));
    guest.vm.ok("sync").unwrap();
    let took = Duration::from_millis(report["took_ms"].as_u64().unwrap());
    say(&format!("a promotion takes {} ms", took.as_millis()));
    (guest, took)
}

/// Releases of which the other one is live at each turn, v2 before the first.
fn releases(turn: u32) -> [&'static str; 2] {
    if turn.is_multiple_of(2) {
        ["v1", "v2"]
    } else {
        ["v2", "v1"]
    }
}

/// A promotion that has run for so long.
fn begun(guest: &Guest, new: &str, after: Duration) -> Child {
    guest.candidate(new, "");
    let line = Guest::line(cargo::steps().unwrap(), "promote", "");
    let mut promote = guest.vm.ready(&line).unwrap();
    go(&mut promote);
    thread::sleep(after);
    promote
}

fn go(ready: &mut Child) {
    ready.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
}

#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn after_a_pulled_plug_one_healthy_container_answers_by_itself_and_the_same_command_converges() {
    let (mut guest, took) = prepared();
    for turn in 0..PLUGS {
        let new = releases(turn)[0];
        let after = took * (2 * turn + 1) / (2 * PLUGS);
        let mut promote = begun(&guest, new, after);
        guest.vm.pull_plug().unwrap();
        let _ = (promote.kill(), promote.wait());
        guest.vm.plug_in().unwrap();
        recovered(&guest, new, &format!("plug pulled after {after:?}"));
    }
}

#[test]
#[ignore = "boots a machine in qemu: cargo xtask test --vm debian@13"]
fn after_a_reboot_one_healthy_container_answers_by_itself_and_the_same_command_converges() {
    let (guest, took) = prepared();
    for turn in 0..REBOOTS {
        let new = releases(turn)[0];
        let after = took * (2 * turn + 1) / (2 * REBOOTS);
        let before = guest.vm.boot_id().unwrap();
        let mut reboot = guest.vm.ready("systemctl reboot").unwrap();
        let promote = begun(&guest, new, after);
        go(&mut reboot);
        guest.vm.wait_for_reboot(&before).unwrap();
        for mut child in [promote, reboot] {
            let _ = (child.kill(), child.wait());
        }
        recovered(&guest, new, &format!("reboot after {after:?}"));
    }
}

/// One container of the app answers before anybody does anything, and the job's next run ends as if nothing had happened.
fn recovered(guest: &Guest, new: &str, what: &str) {
    let began = Instant::now();
    guest.vm.wait().unwrap();
    let found = guest.present().replace('\n', " ");
    let held = is_held_by_the_engine(guest);
    if held {
        guest.vm.ok("systemctl restart docker").unwrap();
    }
    let answer = guest.answers();
    let seconds = began.elapsed().as_secs();
    assert_eq!(serving(guest).lines().count(), 1, "{what}: {found}");
    let again = guest.step("promote", "");
    let answered = guest.answer();
    assert!(["v1", "v2"].contains(&&*answered), "{what}: {again:?}");
    if answered != new || guest.present() != "web" {
        guest.deploy(new);
    }
    guest.assert_live(new);
    guest.vm.ok("sync").unwrap();
    say(&format!(
        "{what}: {answer} answers {seconds} s later{}; there were {found}; promote again: {}",
        if held { "" } else { " by itself" },
        again.code
    ));
}

/// The containers that have the app's port.
fn serving(guest: &Guest) -> String {
    guest.vm.ok("docker ps -q --filter publish=8080").unwrap()
}

/// Docker whose power fails while it starts a container holds that one's port after its boot, for nobody, until it is
/// started once more.
fn is_held_by_the_engine(guest: &Guest) -> bool {
    let log = "journalctl --boot --unit=docker --no-pager";
    let log = guest.vm.ok(log).unwrap();
    let held = serving(guest).is_empty()
        && log.contains("Removing stale endpoint")
        && log.contains("port is already allocated");
    if held {
        say("the engine holds the port for nobody: it is restarted");
    }
    held
}
