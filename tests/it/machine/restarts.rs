//! `systemctl restart docker` at several calls of a promotion.

use std::fs;
use std::process::Command;

use stage::steps::run;

use super::{alone, on_a_machine_of_its_own};
use crate::power::at_every;

/// A restart takes seconds, so not every call has one; each call of the engine itself has, on the bare stage.
const SOME: usize = 3;

fn restart() {
    let mut restart = Command::new("systemctl");
    restart.args(["restart", "docker"]);
    // Otherwise systemd takes that many for a service that fails again and again.
    let mut forget = Command::new("systemctl");
    forget.args(["reset-failed", "docker"]);
    for command in [forget, restart] {
        let done = run(command, None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
    }
}

#[test]
fn after_a_restart_of_the_engines_service_in_a_promotion_one_container_answers_and_a_new_run_converges()
 {
    on_a_machine_of_its_own("restarts::restarted");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn restarted() {
    alone();
    at_every(SOME, restart);
}

#[test]
fn after_a_restart_that_leaves_containers_running_one_container_answers_and_a_new_run_converges() {
    on_a_machine_of_its_own("restarts::restarted_live");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn restarted_live() {
    alone();
    fs::create_dir_all("/etc/docker").unwrap();
    fs::write("/etc/docker/daemon.json", r#"{"live-restore": true}"#).unwrap();
    restart();
    at_every(SOME, restart);
}
