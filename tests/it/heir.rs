//! A promotion is killed, and nobody does anything: its heir finishes it while the port answers.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stage::ground::on_podman;
use stage::load::Load;
use stage::relay::Relay;
use stage::steps::{Run, run, step};

use crate::resume::{KILLED, assert_released, deaf_and_its_candidate};
use crate::support::{App, Fault, eventually, failed, ok, text};

/// A promotion with a fault, and with heirs.
pub(crate) fn mortal(app: &App, fault: Fault<'_>, flags: &[&str]) -> Command {
    let mut command = app.faulty_promote(fault, flags);
    command.env_remove("DEPLOY_STEPS_HEIR");
    command
}

/// The heirs of the app's promotions: their words, then their environments, either of which may name it.
pub(crate) fn at_work(app: &App) -> Vec<String> {
    heirs(app).into_iter().map(|(_, line)| line).collect()
}

pub(crate) fn kill_heirs(app: &App) {
    for (pid, _) in heirs(app) {
        kill_process(pid, Signal::KILL).unwrap();
    }
}

fn heirs(app: &App) -> Vec<(Pid, String)> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let read = |entry: fs::DirEntry| {
        let [words, variables] =
            ["cmdline", "environ"].map(|name| fs::read_to_string(entry.path().join(name)));
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((Pid::from_raw(pid)?, words.ok()? + &variables.ok()?))
    };
    all.filter_map(read)
        .filter(|(_, line)| line.contains("promote\0__heir") && line.contains(app.name()))
        .collect()
}

/// The script, but only the first `times` that it is called; `count` keeps a line for each call.
fn first(times: u32, count: &Path, script: &str) -> String {
    let count = count.display();
    format!("echo >> {count}; [ $(wc -l < {count}) -gt {times} ] || {{ {script}; }}")
}

pub(crate) fn wait_for_heirs(app: &App) {
    eventually("the heir is done", || at_work(app).is_empty());
}

#[test]
fn killed_with_its_whole_process_group_a_promotion_is_finished_by_its_heir() {
    let app = App::new("heir-group");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let candidate = app.start(&v2, &["-e", "COLOR=blue"]);
    app.prove_candidate();
    let load = Load::start(app.addr(), "/", 100);
    let mut command = mortal(&app, Fault::Before("stop", "kill -KILL -$CALLER"), &[]);
    command.process_group(0);
    assert_eq!(run(command, None).unwrap().code, KILLED);
    wait_for_heirs(&app);
    assert_released(&app, &v2, &v1, &candidate);
    let seen = load.stop();
    assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
}

#[test]
fn an_heir_works_on_what_the_environment_named_as_its_promotion_did() {
    let app = App::new("heir-env");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let candidate = app.candidate(&v2, &["-e", "COLOR=blue"]);
    let candidate = serde_json::from_str(&candidate).unwrap();
    let given = mortal(&app, Fault::Before("stop", "kill -KILL $CALLER"), &[]);
    let mut command = step("promote").unwrap();
    let words = given.get_args().skip_while(|word| *word != "--docker");
    command.args(words);
    for (name, value) in given.get_envs() {
        command.envs(value.map(|value| (name, value)));
    }
    command.env("APP_NAME", app.name());
    command.env("CONTAINER_NAME", app.name());
    assert_eq!(run(command, None).unwrap().code, KILLED);
    wait_for_heirs(&app);
    assert_released(&app, &v2, &v1, &candidate);
}

#[test]
fn the_heir_of_an_heir_finishes_what_both_were_killed_at() {
    let app = App::new("heir-heir");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let candidate = app.start(&v2, &["-e", "COLOR=blue"]);
    app.prove_candidate();
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let twice = first(2, &count, "kill -KILL $CALLER; exit 1");
    let killed = run(mortal(&app, Fault::Before("start", &twice), &[]), None).unwrap();
    assert_eq!(killed.code, KILLED);
    wait_for_heirs(&app);
    assert_eq!(fs::read_to_string(&count).unwrap(), "\n\n\n");
    assert_released(&app, &v2, &v1, &candidate);
}

/// What is run after a promotion was killed at an order that takes its time.
fn assert_waits_and_carries_on(again: &Run) {
    let report = ok(again);
    assert!(
        again.stderr.contains("waiting for what a killed promotion"),
        "{again:?}"
    );
    // Whichever of them had the lock first.
    let carried_on = report["carried_on"] == true || report["heir"]["carried_on"] == true;
    assert!(carried_on, "{report}");
}

#[test]
fn an_heir_waits_for_the_order_that_its_promotion_gave_last_and_others_wait_for_the_heir() {
    let (app, [v1, v2], candidate) = deaf_and_its_candidate("heir-order");
    let flags = ["--stop-timeout", "3s"];
    let killed = run(
        mortal(&app, Fault::Before("stop", "kill -KILL $CALLER"), &flags),
        None,
    );
    assert_eq!(killed.unwrap().code, KILLED);
    assert_waits_and_carries_on(&app.promote(&flags));
    assert_released(&app, &v2, &v1, &candidate);
}

/// The child that gives the order has the lock.
#[test]
fn an_heir_waits_for_the_order_that_its_promotion_gave_at_the_socket() {
    let (app, [v1, v2], candidate) = deaf_and_its_candidate("heir-socket");
    let flags = ["--stop-timeout", "3s"];
    let relay = Relay::start().unwrap();
    let mut command = app.command("promote", &flags);
    command.env("DOCKER_HOST", relay.host());
    command.stdout(Stdio::null());
    let mut promotion = command.spawn().unwrap();
    let is_stopped = |request: &String| request.contains("/stop?");
    if on_podman() {
        assert!(promotion.wait().unwrap().success());
        assert!(relay.seen().is_empty());
        return;
    }
    eventually("the old container is being stopped", || {
        relay.seen().iter().any(is_stopped)
    });
    promotion.kill().unwrap();
    promotion.wait().unwrap();
    assert_waits_and_carries_on(&app.promote(&flags));
    assert_released(&app, &v2, &v1, &candidate);
}

#[test]
fn what_an_heir_had_to_roll_back_is_told_to_the_system_log_and_to_the_next_promotion() {
    let app = App::new("heir-log");
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    let live = app.id("");
    app.candidate(&v2, &[]);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("log");
    let log = UnixDatagram::bind(&socket).unwrap();
    log.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // A /dev of its own, in which the system's log is ours.
    let dev = "mount -t tmpfs tmpfs $0 && touch $0/null && mount --bind /dev/null $0/null && \
               ln -s $LOG $0/log && mount --move $0 /dev && exec \"$@\"";
    let candidate = app.scope.candidate();
    let script = format!("docker rm -f {candidate}; kill -KILL $CALLER; exit 1");
    let script = first(1, &folder.path().join("count"), &script);
    let promote = mortal(&app, Fault::Before("start", &script), &[]);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", dev])
        .arg(folder.path().join("dev"));
    fs::create_dir(folder.path().join("dev")).unwrap();
    command
        .arg(promote.get_program())
        .args(promote.get_args())
        .env("LOG", &socket);
    for (name, value) in promote.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let killed = run(command, None).unwrap();
    assert_eq!(killed.code, KILLED, "{killed:?}");
    let mut line = [0; 4096];
    let length = log.recv(&mut line).expect("no line in the log");
    let line = String::from_utf8_lossy(&line[..length]).into_owned();
    assert!(line.starts_with("<29>deploy-steps: promote of"), "{line}");
    assert!(line.contains("rolled_back_not_started"), "{line}");
    wait_for_heirs(&app);
    app.assert_untouched(&live, &v1);
    let report: Value = failed(&app.promote(&[]), 40, "no_candidate");
    let message = text(&report["error"]["message"]);
    assert!(
        message.contains("does not run any more") && message.contains("heir"),
        "{message}"
    );
}

#[test]
fn a_promotion_that_ends_by_itself_leaves_no_heir() {
    let app = App::new("heir-none");
    let v1 = app.build("v1");
    app.deploy(&v1, &[]);
    assert_eq!(at_work(&app), Vec::<String>::new());
    failed(&app.promote(&[]), 40, "no_candidate");
    assert_eq!(at_work(&app), Vec::<String>::new());
}
