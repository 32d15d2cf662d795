//! The machines: what they have that a bare stage has not, and that nothing of them outlives its use.

mod firewalls;
mod owners;
mod restarts;
mod running;
mod started;

use std::env;
use std::fs;
use std::process::Command;

use rustix::process::{Signal, geteuid};
use stage::docker::docker;
use stage::ground::{Cgroup, ENGINE, Machine, on_machine};
use stage::skipped::skip;
use stage::steps::{run, step};

use crate::support::on_a_stage_of_its_own;
use running::Running;

/// A machine that can be started here, where there may be no network to make one by.
fn made() -> Option<&'static str> {
    let is_made = |name: &&str| Machine::named(name).unwrap().is_made().unwrap();
    let mut names = Machine::names().into_iter();
    let made = names.find(|name| geteuid().is_root() && is_made(name));
    if made.is_none() {
        skip("root has made no machine: cargo xtask stage --machine debian@13 -- true does it");
    }
    made
}

/// Runs one of the ignored tests of this topic on a machine that nothing else runs on.
fn on_a_machine_of_its_own(name: &str) {
    if on_machine() {
        return skip("it starts a machine of its own, which a machine cannot");
    }
    if let Some(machine) = made() {
        let test = format!("machine::{name}");
        on_a_stage_of_its_own(&["--machine", machine], &["--ignored", &test]);
    }
}

/// For tests that need a machine, or change its settings.
fn alone() {
    assert!(on_machine(), "run the test that starts a machine for it");
}

fn active(unit: &str) -> String {
    let mut ask = Command::new("systemctl");
    ask.args(["is-active", unit]);
    run(ask, None).unwrap().stdout.trim().to_owned()
}

#[test]
fn a_machine_is_the_release_that_was_asked_for_with_systemd_and_cgroups_of_version_2() {
    if on_machine() {
        is_as_asked();
    } else {
        on_a_machine_of_its_own("is_as_asked");
    }
}

#[test]
#[ignore = "about a machine: run on one by the test above"]
fn is_as_asked() {
    alone();
    let codenames = [("12", "bookworm"), ("13", "trixie"), ("14", "forky")];
    let engine = env::var(ENGINE).unwrap();
    let asked = codenames.iter().find(|it| engine.ends_with(it.0)).unwrap();
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let line = format!("VERSION_CODENAME={}", asked.1);
    assert!(release.lines().any(|it| it == line), "{release}");
    has_what_a_server_has();
    has_cgroups_of_systemd();
}

fn has_what_a_server_has() {
    assert_eq!(fs::read_to_string("/proc/1/comm").unwrap(), "systemd\n");
    for unit in ["docker", "ssh", "systemd-logind", "systemd-journald"] {
        assert_eq!(active(unit), "active", "{unit}");
    }
    for unit in ["ufw", "firewalld", "nginx", "haproxy", "docker-registry"] {
        assert_eq!(active(unit), "inactive", "{unit}");
    }
}

fn has_cgroups_of_systemd() {
    assert_eq!(Cgroup::here(), Cgroup::V2);
    let info = docker(["info", "-f", "{{.CgroupVersion}} {{.CgroupDriver}}"]);
    assert_eq!(info.unwrap(), "2 systemd");
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::"));
    assert!(own.is_some_and(|it| it.ends_with(".scope")), "{own:?}");
}

#[test]
fn a_command_has_the_streams_and_the_code_of_one_that_runs_here() {
    let Some(machine) = made() else { return };
    let mut xtask = step("xtask").unwrap();
    let script = "tr a-z A-Z; pwd; echo why >&2; exit 7";
    xtask.args(["stage", "--machine", machine, "--", "sh", "-c", script]);
    let here = env::current_dir().unwrap();
    let said = run(xtask, Some("in\n")).unwrap();
    assert_eq!(said.code, 7, "{said:?}");
    assert_eq!(said.stdout, format!("IN\n{}\n", here.display()));
    assert_eq!(said.stderr, "why\n");
}

#[test]
fn two_at_once_do_not_meet_and_nothing_is_left_of_one_that_ends() {
    let Some(machine) = made() else { return };
    let (mut one, mut two) = (Running::start(machine), Running::start(machine));
    one.assert_there();
    two.assert_there();
    one.send(Signal::TERM);
    assert_eq!(one.wait(), 143);
    one.assert_gone();
    two.assert_there();
    two.let_command_end();
    assert_eq!(two.wait(), 0);
    two.assert_gone();
}

#[test]
fn a_machine_ends_when_its_caller_is_killed_and_the_next_one_removes_its_files() {
    let Some(machine) = made() else { return };
    let mut killed = Running::start(machine);
    killed.assert_there();
    killed.send(Signal::KILL);
    assert_eq!(killed.wait(), 137);
    killed.assert_ended();
    let mut next = Running::start(machine);
    next.let_command_end();
    assert_eq!(next.wait(), 0);
    killed.assert_gone();
}
