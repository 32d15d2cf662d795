//! The lock against other users of the machine: what they make, replace, hold or forge, and where nobody can lock.

mod folder;
mod script;

use std::fs;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stage::ground::on_machine;
use stage::skipped::skip;
use stage::steps::{Run, run};

use crate::privileges::docker_group;
use crate::resume::deaf_and_its_candidate;
use crate::support::{App, eventually, failed, ok};
use crate::vm::{DEPLOY, Vm};

/// Is in no group.
const STRANGER: u32 = 47_114;
/// Whether the kernel keeps others from following a stranger's link in a folder for all.
const PROTECTED: &str = "/proc/sys/fs/protected_symlinks";

/// A machine with an app of which nothing is there: a promotion that gets the lock ends with 40.
struct Place {
    app: App,
    vm: Vm,
}

impl Place {
    fn new(prefix: &str) -> Place {
        let app = App::new(prefix);
        let vm = Vm::of(&app, "127.0.0.1:1");
        Place { app, vm }
    }

    /// The words as root after a script of root's, in which `$F` is the beginning of the lock files' names.
    fn command(&self, script: &str, words: &[&str]) -> Command {
        let name = self.app.name();
        let script = format!("F=/run/deploy-steps/deploy-steps-{name}; {script}\nexec \"$@\"");
        self.vm
            .command(&[&["sh", "-c", &script, "sh"], words].concat())
    }

    fn run(&self, script: &str, words: &[&str]) -> Run {
        run(self.command(script, words), None).unwrap()
    }

    fn promote(&self, script: &str, user: &[String]) -> Run {
        self.run(script, &words(user, &["promote", "--app", self.app.name()]))
    }

    /// The lock was had.
    fn locks(&self, script: &str, user: &[String]) {
        failed(&self.promote(script, user), 40, "no_candidate");
    }

    /// A shell of the user's, with what it ended with.
    fn tries(&self, user: &[String], script: &str) -> i32 {
        let name = self.app.name();
        let script = format!("F=/run/deploy-steps/deploy-steps-{name}; {script}");
        self.run("", &words(user, &["sh", "-c", &script])).code
    }
}

fn words<'a>(user: &'a [String], rest: &[&'a str]) -> Vec<&'a str> {
    let user = user.iter().map(String::as_str);
    user.chain(rest.iter().copied()).collect()
}

fn user(id: u32, groups: &str) -> Vec<String> {
    let id = id.to_string();
    ["setpriv", "--reuid", &id, "--regid", &id, groups, "--"]
        .map(str::to_owned)
        .to_vec()
}

/// Who may use the engine.
fn member() -> Vec<String> {
    user(DEPLOY, &format!("--groups={}", docker_group()))
}

fn stranger() -> Vec<String> {
    user(STRANGER, "--clear-groups")
}

/// As long as it lives, a stranger's links are followed; then it is again as it was. One at a time.
struct Unprotected {
    was: String,
    _alone: MutexGuard<'static, ()>,
}

impl Unprotected {
    /// Not on a machine, where what the kernel has once for all is read-only.
    fn now() -> Option<Self> {
        if on_machine() {
            skip("how the kernel treats links in folders for all cannot be changed on a machine");
            return None;
        }
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let was = fs::read_to_string(PROTECTED).unwrap();
        fs::write(PROTECTED, "0").unwrap();
        Some(Self { was, _alone: alone })
    }
}

impl Drop for Unprotected {
    fn drop(&mut self) {
        let _ = fs::write(PROTECTED, &self.was);
    }
}

#[test]
fn a_stranger_can_neither_make_nor_open_nor_hold_nor_take_away_a_lock() {
    let place = Place::new("stranger");
    place.locks("", &[]);
    for deed in [
        ": >>$F.lock",
        "flock -n $F.lock true",
        "rm -f $F.lock",
        "ln -s /etc/passwd $F.images",
        "mkfifo $F.promote",
        "mv $F.lock /tmp/",
        "cat $F.lock",
    ] {
        assert_ne!(place.tries(&stranger(), deed), 0, "{deed}");
        assert_eq!(place.tries(&[], "test -f $F.lock"), 0, "{deed}");
    }
    // The same deeds are possible to those who may use the engine: the test would notice a stranger who may.
    assert_eq!(place.tries(&member(), "flock -n $F.lock true"), 0);
    place.locks("", &member());
    place.locks("", &[]);
}

#[test]
fn what_a_stranger_has_left_in_the_folders_for_all_is_nothing_to_a_promotion() {
    let Some(_links) = Unprotected::now() else {
        return;
    };
    let place = Place::new("usual");
    let name = place.app.name();
    let precious = place.vm.etc("precious");
    fs::write(&precious, "kept").unwrap();
    let at = precious.display();
    for deed in ["ln -s", "mkfifo"] {
        let what = if deed == "ln -s" {
            at.to_string()
        } else {
            String::new()
        };
        let places = ["/run/lock", "/tmp"].map(|folder| {
            format!("rm -f {folder}/deploy-steps-{name}.lock; {deed} {what} {folder}/deploy-steps-{name}.lock;")
        });
        let script = format!("chmod 1777 /run/lock; {}", places.concat());
        for user in [vec![], member()] {
            place.locks(&script, &user);
        }
        assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
    }
    let _ = fs::remove_file(format!("/tmp/deploy-steps-{name}.lock"));
}

#[test]
fn a_link_a_pipe_or_a_file_of_two_names_in_the_locks_place_is_refused_and_left_as_it_is() {
    let Some(_links) = Unprotected::now() else {
        return;
    };
    let place = Place::new("in-place");
    let precious = place.vm.etc("precious");
    fs::write(&precious, "kept").unwrap();
    // Of the same file system as the locks.
    let second = "echo kept >${F%/*}/other; ln ${F%/*}/other $F.lock";
    let link = format!("ln -s {} $F.lock", precious.display());
    for deed in [&link, "mkfifo $F.lock", "mkdir $F.lock", second] {
        let began = Instant::now();
        let script = format!("rm -rf $F.lock; {deed};");
        let run = place.promote(&script, &[]);
        let report = failed(&run, 1, "unexpected");
        let said = report["error"].to_string();
        assert!(said.contains("cannot be used for locks"), "{deed}: {said}");
        assert!(began.elapsed() < Duration::from_secs(30), "{deed}");
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
    assert_eq!(place.tries(&[], "grep -qx kept ${F%/*}/other"), 0);
    place.locks("rm -rf $F.lock;", &[]);
}

#[test]
fn a_forged_note_makes_no_success_of_a_missing_candidate_and_no_long_report() {
    let place = Place::new("forged");
    let image = place.app.build("v1");
    let live = place.app.deploy(&image, &[]);
    let labels = place.app.container("").unwrap()["Config"]["Labels"].clone();
    let candidate = labels["deploy-steps.candidate"].as_str().unwrap();
    let report = json!({"step": "promote", "ok": true, "container_id": live["container_id"]});
    let forged = [
        format!("at work: {candidate}"),
        format!("at work: 1 {candidate}"),
        "an heir is at work".to_owned(),
        report.to_string(),
    ];
    for note in &forged {
        let files = ["lock", "promote", "note"].map(|end| format!("$F.{end}"));
        let deed = format!(
            "for file in {}; do echo '{note}' >$file; done",
            files.join(" ")
        );
        assert_eq!(place.tries(&member(), &deed), 0, "{note}");
        place.locks("", &[]);
    }
    // Whoever has a note of a megabyte in the place of one, even root's own.
    let long = format!(
        "{}{}",
        &report.to_string()[..report.to_string().len() - 1],
        r#","x":""#
    );
    let deed = format!(
        "{{ printf '%s' '{long}'; head -c 1000000 /dev/zero | tr '\\0' x; echo '\"}}'; }} >$F.promote"
    );
    assert_eq!(place.tries(&[], &deed), 0);
    let run = place.promote("", &[]);
    failed(&run, 40, "no_candidate");
    assert!(
        run.stdout.len() + run.stderr.len() < 8192,
        "{}",
        run.stdout.len()
    );
}

#[test]
fn nobody_waits_long_for_a_promotion_that_works_whatever_is_noted() {
    let place = Place::new("held");
    place.locks("", &[]);
    let name = format!("deploy-steps-{}", place.app.name());
    let file = |end: &str| place.vm.locks().join(format!("{name}.{end}"));
    // This process is neither an heir nor a step that is soon done, so it counts as a promotion.
    let held = fs::File::open(file("lock")).unwrap();
    held.lock().unwrap();
    for note in ["at work: 999999 abc", "an heir is at work", "at work: abc"] {
        let began = Instant::now();
        for end in ["lock", "promote"] {
            fs::write(file(end), note).unwrap();
        }
        for user in [vec![], member()] {
            failed(&place.promote("", &user), 45, "locked");
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{note}");
    }
}

/// Where only root may lock in the usual place.
#[test]
fn of_roots_and_a_members_promotion_at_once_one_is_refused() {
    for root_is_first in [true, false] {
        let (app, [_, v2], _) = deaf_and_its_candidate("two-users");
        let place = Place {
            vm: Vm::of(&app, "127.0.0.1:1"),
            app,
        };
        let mut users = [vec![], member()];
        if !root_is_first {
            users.reverse();
        }
        let usual = "chmod 755 /run/lock;";
        let promote = ["promote", "--app", place.app.name(), "--stop-timeout", "5s"];
        let by = |user: &[String]| place.run(usual, &words(user, &promote));
        let [one, other] = thread::scope(|scope| {
            let first = scope.spawn(|| by(&users[0]));
            eventually("the first is at work", || {
                place.app.present().contains(&"-old")
            });
            let second = by(&users[1]);
            [first.join().unwrap(), second]
        });
        ok(&one);
        failed(&other, 45, "locked");
        place.app.assert_live(&v2);
    }
}

#[test]
fn a_lock_that_is_taken_away_while_it_is_held_is_had_by_all_who_come_later() {
    let place = Place::new("unlinked");
    place.locks("", &[]);
    // The file that is held has no name any more: the next one's has.
    let away = "exec 8<>$F.lock; flock 8 || exit 99; rm $F.lock;";
    place.locks(away, &member());
    place.locks("", &[]);
}
