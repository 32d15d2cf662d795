//! What the key is for: releases under load, sick ones, back again, by tag and by digest, as two accounts.

use std::fs;

use serde_json::Value;
use stage::ground::Cgroup;
use stage::load::Load;
use stage::steps::Run;

use super::Remote;
use super::server::{Server, keygen};
use crate::support::{App, failed, text};
use crate::vm::Vm;

const STEPS: [&str; 5] = [
    "pull-image",
    "start-candidate",
    "probe-health",
    "promote",
    "prune-app",
];

/// The reports, one on each line of stdout.
fn reports(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines();
    let all: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{run:?}")))
        .collect();
    assert_eq!(all.last().map(|it| it["ok"] == true), Some(true), "{run:?}");
    all
}

fn steps_of(reports: &[Value]) -> Vec<&str> {
    reports.iter().map(|it| text(&it["step"])).collect()
}

fn released(reports: &[Value]) {
    assert_eq!(steps_of(reports), STEPS);
    assert!(reports.iter().all(|it| it["ok"] == true), "{reports:?}");
}

#[test]
fn releases_come_and_go_by_the_action_and_no_request_fails() {
    let at = Remote::new("by-ssh");
    let (app, v1) = (&at.app, at.release("v1"));
    let (v2, digest) = at.push(&app.image("v2"), "v2");
    released(&reports(&at.server.run("deploy v1 40")));
    app.assert_live(&v1);
    let load = Load::start(app.addr(), "/", 100);
    let second = at.action(&[("digest", &digest)]);
    assert_eq!((second.run.code, second.told()), (0, vec![]), "{second:?}");
    released(&second.reports);
    assert_eq!(second.reports[3]["swap"]["bridge"], "on");
    assert_eq!(second.reports[3]["swap"]["drained_by"], "tcp_info");
    assert_eq!(second.reports[3]["deploy_id"], 42);
    let swap = "bridge on, 0 of ";
    assert!(second.summary.contains(swap), "{}", second.summary);
    app.assert_live(&v2);
    let live = app.container("").unwrap();
    assert!(live["Config"]["Env"].to_string().contains("COLOR=blue"));
    // An engine that can limit no memory says so and leaves the limit out.
    let limit = if Cgroup::limits_memory() {
        512 << 20
    } else {
        0
    };
    assert_eq!(live["HostConfig"]["Memory"], limit);
    let late = at.action(&[("digest", &digest), ("deploy-id", "41")]);
    assert_eq!(late.run.code, 26, "{late:?}");
    assert_eq!(late.told()[0].title, "start-candidate (exit 26)");
    assert_eq!(steps_of(&late.reports).len(), 2);
    let status = at.action(&[("request", "status")]);
    assert_eq!(status.run.code, 0, "{status:?}");
    assert_eq!(status.reports[0]["container"], app.name());
    let back = at.action(&[("request", "rollback")]);
    let seen = load.stop();
    assert_eq!(back.run.code, 0, "{back:?}");
    assert_eq!(steps_of(&back.reports), STEPS[1..]);
    app.assert_live(&v1);
    assert_eq!(seen.failed(), 0, "{:?} of {}", seen.kinds(), seen.sent());
    assert_eq!(seen.versions(), ["v1", "v2"]);
}

#[test]
fn the_exit_code_of_a_step_that_fails_comes_through_and_the_live_release_stays() {
    let at = Remote::configured("sick-ssh", "60s", "2s");
    let (server, v1) = (&at.server, at.release("v1"));
    assert_eq!(server.run("status").code, 31);
    assert_eq!(server.run("deploy v1").code, 0);
    let live = at.app.id("");
    for (how, code) in [("SICK", 30), ("CRASH", 32)] {
        at.push(&at.app.image("bad").env(how, "1"), "bad");
        let done = server.run("deploy bad");
        assert_eq!(done.code, code, "{done:?}");
        let all = reports(&done);
        assert_eq!(all[2]["error"]["code"], code, "{done:?}");
        assert_eq!(
            steps_of(&all),
            ["pull-image", "start-candidate", "probe-health", "prune-app"]
        );
        at.app.assert_untouched(&live, &v1);
        assert_eq!(at.app.present(), [""]);
    }
    failed(&server.run("deploy nowhere"), 10, "image_not_found");
}

#[test]
fn root_s_own_account_does_as_well() {
    let app = App::new("root-ssh");
    let vm = Vm::of(&app, stage::registry::shared().unwrap().host());
    let line = vm.shown("authorized_keys").replace("sudo -n ", "");
    let server = Server::with_line(&vm, "root", &line);
    let image = app.image("v1").build(&format!("{}:v1", vm.repository));
    let image = image.unwrap();
    image.push().unwrap();
    let done = server.run("deploy v1");
    assert_eq!(done.code, 0, "{done:?}");
    app.assert_live(&image);
}

#[test]
fn a_server_with_another_host_key_is_asked_for_nothing() {
    let at = Remote::new("host-key");
    let known = at.server.client().join("known_hosts");
    let pinned = fs::read_to_string(&known).unwrap();
    let other = keygen(&at.server.client().join("other"));
    let name = pinned.split(' ').next().unwrap();
    fs::write(&known, format!("{name} {other}")).unwrap();
    let run = at.server.run("status");
    assert_eq!(run.code, 255, "{run:?}");
    assert!(run.stderr.contains("REMOTE HOST IDENTIFICATION"), "{run:?}");
    assert!(!at.server.log().contains("Accepted"), "{}", at.server.log());
}
