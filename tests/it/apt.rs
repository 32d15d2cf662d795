//! What `--install` does while somebody else works with packages, as a fresh machine does for minutes.

pub(crate) mod machine;

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use stage::ground::STAGE;
use stage::steps::step;

use crate::support::eventually;
use machine::{AT_MOST, Busy, Machine};

/// What apt-get runs while it holds its locks.
pub(crate) const INSTALLING: &str = "DPkg::Pre-Invoke";
const UPDATING: &str = "APT::Update::Pre-Invoke";
pub(crate) const INSTALL: [&str; 3] = ["install", "-y", "first"];

/// An apt-get of ours gives up where it may not wait; else it goes on when the other one is done.
fn waits(machine: &Machine, other: Busy, lock: &str, args: &[&str]) {
    let impatient = machine.apt(Duration::from_secs(1));
    let error = impatient.get(args).unwrap_err().to_string();
    let named = format!(
        "{}{}, still after ",
        other.who(),
        machine.path(lock).display()
    );
    assert!(error.starts_with(&named), "{error}");
    assert!(
        error.ends_with("run this again when that has ended"),
        "{error}"
    );
    thread::scope(|scope| {
        let (sender, ended) = channel();
        scope.spawn(move || sender.send(machine.apt(AT_MOST).get(args)));
        let early = ended.recv_timeout(Duration::from_secs(2));
        assert_eq!(early.unwrap_err(), RecvTimeoutError::Timeout);
        other.go_on();
        ended.recv_timeout(AT_MOST).unwrap().unwrap();
    });
}

#[test]
fn an_installation_waits_for_another_one_or_gives_up_and_says_who_is_in_the_way() {
    let machine = Machine::new();
    machine.apt(AT_MOST).get(&["update"]).unwrap();
    let other = machine.busy(INSTALLING, &INSTALL);
    let own = ["install", "-y", "docker-registry"];
    waits(&machine, other, "var/lib/dpkg/lock-frontend", &own);
    assert!(machine.has("first") && machine.has("docker-registry"));
}

#[test]
fn an_update_waits_for_another_one_or_gives_up_and_says_who_is_in_the_way() {
    let machine = Machine::new();
    let other = machine.busy(UPDATING, &["update"]);
    waits(&machine, other, "var/lib/apt/lists/lock", &["update"]);
    machine.apt(AT_MOST).get(&INSTALL).unwrap();
    assert!(machine.has("first"));
}

#[test]
fn what_fails_for_another_reason_is_not_tried_again() {
    let machine = Machine::new();
    let started = Instant::now();
    let error = machine.apt(AT_MOST).get(&["install", "-y", "third"]);
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "`apt-get install -y third` failed");
    assert!(started.elapsed() < AT_MOST);
}

/// `xtask stage --install` where its registry's program is missing and others are at work, behind `before`.
fn stage_installs(before: &[&str], sees: impl Fn(&Busy) -> String) {
    let machine = Machine::new();
    machine.apt(AT_MOST).get(&["update"]).unwrap();
    let other = machine.busy(INSTALLING, &INSTALL);
    let xtask = step("xtask").unwrap();
    let xtask = xtask.get_program().to_str().unwrap();
    let stage = ["stage", "--install", "--", "/bin/true"];
    let argv = [before, &[xtask], &stage].concat();
    let said = machine.path("said");
    let mut command = Command::new(argv[0]);
    command
        .args(&argv[1..])
        .env("PATH", machine.search_path())
        .env("APT_CONFIG", machine.path("apt.conf"))
        .env_remove(STAGE)
        .stdin(Stdio::null())
        .stderr(File::create(&said).unwrap());
    let mut child = command.spawn().unwrap();
    let expected = format!("apt-get waits, 10 minutes at most: {}", sees(&other));
    let says = || fs::read_to_string(&said).unwrap();
    eventually("who is waited for is said", || says().contains(&expected));
    assert!(child.try_wait().unwrap().is_none(), "{}", says());
    other.go_on();
    assert!(child.wait().unwrap().success(), "{}", says());
    assert!(machine.has("docker-registry"), "{}", says());
    assert_eq!(says().matches("apt-get waits").count(), 1, "{}", says());
}

#[test]
fn what_a_stage_lacks_is_installed_when_the_other_installation_is_done() {
    stage_installs(&[], Busy::who);
}

#[test]
fn one_who_is_in_another_namespace_is_waited_for_too() {
    let unshare = stage::ground::find("unshare").unwrap();
    let apart = ["--pid", "--fork", "--mount-proc"];
    let before = [&[unshare.to_str().unwrap()], &apart[..]].concat();
    stage_installs(&before, |_| {
        "a process that is not seen from here, such as one in another container, holds ".to_owned()
    });
}
