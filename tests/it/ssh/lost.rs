//! The connection is lost: before the promotion the deployment is undone, from then on it is finished.

use std::fs;
use std::process::{Child, Stdio};

use super::Remote;
use crate::support::eventually;

/// Starts a deployment and loses its client as soon as `is` says so.
fn lose(at: &Remote, request: &str, is: impl Fn() -> bool) {
    let mut ssh = at.server.ask(&[], request);
    ssh.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut client: Child = ssh.spawn().unwrap();
    eventually("the moment to lose the client", is);
    client.kill().unwrap();
    client.wait().unwrap();
}

/// Whether a script of the app's is still at work.
fn at_work(at: &Remote) -> bool {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = all.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.any(|line| line.contains("deploy.sh\0") && line.contains(at.app.name()))
}

#[test]
fn a_client_that_is_lost_during_the_promotion_leaves_it_finishing() {
    let patience = "promote --stop-timeout=2s\nprune-app --keep=0\nprobe-health";
    let at = Remote::configured("lost", "probe-health", patience);
    // It ignores the signal to stop, so that there is a middle to lose the client in.
    at.push(&at.app.image("v1").env("DEAF", "1"), "v1");
    assert_eq!(at.server.run("deploy v1").code, 0);
    let v2 = at.release("v2");
    lose(&at, "deploy v2", || at.app.present().contains(&"-old"));
    assert!(at_work(&at));
    eventually("the script has ended", || !at_work(&at));
    at.app.assert_live(&v2);
}

#[test]
fn a_client_that_is_lost_before_the_promotion_leaves_the_old_release_and_nothing_else() {
    let at = Remote::new("lost-early");
    let v1 = at.release("v1");
    assert_eq!(at.server.run("deploy v1").code, 0);
    let id = at.app.id("");
    at.push(&at.app.image("v2").env("BOOT_MS", "2500"), "v2");
    lose(&at, "deploy v2", || {
        at.app
            .container("-new")
            .is_some_and(|it| it["State"]["Running"] == true)
    });
    assert!(at_work(&at));
    eventually("the script has ended", || !at_work(&at));
    at.app.assert_untouched(&id, &v1);
    assert_eq!(at.app.present(), [""]);
}
