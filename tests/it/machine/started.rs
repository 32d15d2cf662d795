//! Deployments that a service, a timer or a login starts, under every kind of client; and what becomes of them when their
//! unit is killed or their login is cut.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use stage::cargo;
use stage::clients::Peer;
use stage::docker::Scope;
use stage::effort;
use stage::image::Built;
use stage::load::Outcome;
use stage::steps::run;

use super::{alone, on_a_machine_of_its_own};
use crate::bridge::kinds::{kinds, seen_by, show};
use crate::bridge::say;
use crate::heir::{at_work, wait_for_heirs};
use crate::support::{App, eventually, first_seed, ok, text};

/// When a unit is killed, in milliseconds after its start: while it prepares, while the bridge is up, and while it clears up.
const MOMENTS: Range<u64> = 20..1500;

/// Promotes v2 over v1 by `deed` under every kind of client, none of which may notice.
fn unnoticed(app: &App, [v1, v2]: &[Built; 2], deed: impl FnOnce(&str)) {
    app.deploy(v1, &[]);
    app.candidate(v2, &[]);
    let scope = Scope::new("clients");
    let peer = Peer::new().unwrap();
    let promote = cargo::steps().unwrap().join("promote");
    let seen = seen_by(&kinds(app, &peer, &scope), app, || {
        deed(promote.to_str().unwrap());
        eventually("the release is live", || app.present() == [""]);
        wait_for_heirs(app);
    });
    none_failed(&seen);
    app.assert_live(v2);
}

fn none_failed(seen: &[(&str, Outcome)]) {
    show(seen);
    for (kind, outcome) in seen {
        assert!(outcome.sent() > 0, "{kind}");
        assert_eq!(outcome.failed(), 0, "{kind}: {:?}", outcome.kinds());
    }
}

fn releases(app: &App) -> [Built; 2] {
    ["v1", "v2"].map(|version| app.build(version))
}

fn systemd_run(words: &[&str]) -> Command {
    let mut command = Command::new("systemd-run");
    command.args(["--quiet", "--collect"]).args(words);
    command
}

#[test]
fn no_client_notices_a_promotion_that_a_service_runs() {
    on_a_machine_of_its_own("started::service");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn service() {
    alone();
    let app = App::new("service");
    unnoticed(&app, &releases(&app), |promote| {
        let words = ["--wait", "--pipe", promote, "--app", app.name()];
        let report = ok(&run(systemd_run(&words), None).unwrap());
        assert_eq!(report["swap"]["bridge"], "on", "{report}");
    });
}

#[test]
fn no_client_notices_a_promotion_that_a_timer_starts() {
    on_a_machine_of_its_own("started::timer");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn timer() {
    alone();
    let app = App::new("timer");
    unnoticed(&app, &releases(&app), |promote| {
        let when = ["--on-active=200ms", "--timer-property=AccuracySec=10ms"];
        let words = [&when[..], &[promote, "--app", app.name()]].concat();
        assert_eq!(run(systemd_run(&words), None).unwrap().code, 0);
        eventually("it has begun", || app.present() != ["", "-new"]);
    });
}

#[test]
fn no_client_notices_that_a_promotions_unit_is_killed_at_any_moment() {
    on_a_machine_of_its_own("started::killed");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn killed() {
    alone();
    let app = App::new("killed");
    let [v1, v2] = releases(&app);
    let (first, times) = (first_seed(), effort::of([4, 6, 50]));
    for turn in 0..times {
        // One in each part of the time, so that few of them do not fall together.
        let part = (MOMENTS.end - MOMENTS.start) / times;
        let within = Rng::with_seed(first + turn).u64(0..part);
        let after = MOMENTS.start + turn * part + within;
        say(&format!("FIRST_SEED={first}: killed after {after} ms"));
        let images = if turn % 2 == 0 {
            [&v1, &v2]
        } else {
            [&v2, &v1]
        };
        let unit = format!("killed-{turn}");
        let name = format!("--unit={unit}");
        unnoticed(&app, &images.map(Built::clone), |promote| {
            let words = [&name, promote, "--app", app.name()];
            assert_eq!(run(systemd_run(&words), None).unwrap().code, 0);
            thread::sleep(Duration::from_millis(after));
            let mut kill = Command::new("systemctl");
            // It may have ended already.
            let _ = kill.args(["kill", "--signal=KILL", &unit]).output();
            wait_for_heirs(&app);
            finish(&app);
        });
    }
    let mut journal = Command::new("journalctl");
    journal.args(["--no-pager", "--identifier=deploy-steps"]);
    let said = run(journal, None).unwrap().stdout;
    let line = format!("promote of {} was killed; its heir reports", app.name());
    assert!(said.contains(&line), "{said}");
}

/// The same command again, where nothing was finished before the kill.
fn finish(app: &App) {
    if app.present() != [""] {
        ok(&app.promote(&[]));
    }
}

#[test]
fn no_client_notices_that_a_login_that_ends_with_all_its_processes_is_cut() {
    on_a_machine_of_its_own("started::cut");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn cut() {
    alone();
    let (folder, app) = (tempfile::tempdir().unwrap(), App::new("cut"));
    let key = folder.path().join("key");
    account(&key);
    let [v1, v2] = releases(&app);
    for (turn, after) in [300, 700, 1200].into_iter().enumerate() {
        let images = if turn % 2 == 0 {
            [&v1, &v2]
        } else {
            [&v2, &v1]
        };
        unnoticed(&app, &images.map(Built::clone), |promote| {
            cut_after(&key, &format!("sudo -n {promote}"), &app, after);
            finish(&app);
        });
    }
    // Without a right there is no bridge, but what was begun is finished all the same.
    let promote = cargo::steps().unwrap().join("promote");
    app.candidate(&v1, &[]);
    cut_after(&key, promote.to_str().unwrap(), &app, 500);
    eventually("the app answers", || ["v1", "v2"].contains(&&*app.answer()));
    finish(&app);
    app.assert_live(&v1);
}

/// A login in which `promote` runs, cut so many milliseconds after its promotion has an heir; returns when that is done.
fn cut_after(key: &Path, promote: &str, app: &App, after: u64) {
    let mut client = ssh(key, &format!("{promote} --app {}", app.name()));
    eventually("the promotion has an heir", || !at_work(app).is_empty());
    thread::sleep(Duration::from_millis(after));
    client.kill().unwrap();
    client.wait().unwrap();
    wait_for_heirs(app);
}

/// An account that may become root, whose processes end with its login.
fn account(key: &Path) {
    let path = key.to_str().unwrap();
    let settings = "/etc/systemd/logind.conf.d";
    fs::create_dir_all(settings).unwrap();
    fs::write(
        format!("{settings}/kill.conf"),
        "[Login]\nKillUserProcesses=yes\n",
    )
    .unwrap();
    fs::write("/etc/sudoers.d/deploy", "deploy ALL=(ALL) NOPASSWD: ALL\n").unwrap();
    for words in [
        &["systemctl", "restart", "systemd-logind"][..],
        &["useradd", "--create-home", "--groups", "docker", "deploy"],
        &["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path],
        &[
            "install",
            "-d",
            "-o",
            "deploy",
            "-m",
            "700",
            "/home/deploy/.ssh",
        ],
    ] {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let done = run(command, None).unwrap();
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
    }
    let keys = "/home/deploy/.ssh/authorized_keys";
    fs::copy(key.with_extension("pub"), keys).unwrap();
    fs::set_permissions(keys, fs::Permissions::from_mode(0o644)).unwrap();
}

fn ssh(key: &Path, asked: &str) -> Child {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-i"]).arg(key);
    ssh.args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "deploy@127.0.0.1"]);
    ssh.arg(asked).spawn().unwrap()
}

#[test]
fn a_member_of_the_docker_group_deploys_on_a_machine_and_is_told_what_is_missing() {
    on_a_machine_of_its_own("started::member");
}

#[test]
#[ignore = "run on a machine of its own by the test above"]
fn member() {
    alone();
    let app = App::new("member");
    let [v1, v2] = releases(&app);
    app.deploy(&v1, &[]);
    let mut add = Command::new("useradd");
    add.args(["--create-home", "--groups", "docker", "deploy"]);
    assert_eq!(run(add, None).unwrap().code, 0);
    let start = ["start-candidate", "--image", &v2.name];
    for words in [&start[..], &["probe-health"], &["promote"]] {
        let mut step = Command::new("runuser");
        step.args(["--user", "deploy", "--"]);
        step.arg(cargo::steps().unwrap().join(words[0]));
        step.args(&words[1..]).args(["--app", app.name()]);
        step.current_dir("/");
        let report = ok(&run(step, None).unwrap());
        if words == ["promote"] {
            assert_eq!(report["swap"]["bridge"], "off", "{report}");
            let why = text(&report["swap"]["bridge_off_because"]);
            assert!(why.contains("nft"), "{why}");
        }
    }
    app.assert_live(&v2);
}
