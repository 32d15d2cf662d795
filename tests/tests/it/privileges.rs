//! What each right is for: the same promotion as accounts that have it and that lack it.

use std::os::unix::fs::MetadataExt;
use std::{env, fs};

use serde_json::Value;
use tests::image::Built;
use tests::steps::{Run, run};

use crate::support::{App, failed, ok, text};
use crate::vm::{DEPLOY, Vm};

/// An app that is live as v1, on a VM, with a candidate v2.
fn waiting(prefix: &str) -> (App, Vm, Built) {
    let app = App::new(prefix);
    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let vm = Vm::of(&app, "127.0.0.1:1");
    (app, vm, v2)
}

/// The group that the engine's socket is open to.
fn docker_group() -> u32 {
    let host = env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host.strip_prefix("unix://");
    let socket = fs::metadata(socket.unwrap_or("/var/run/docker.sock"));
    socket.unwrap().gid()
}

/// A step as the account `deploy` in the docker group, with these capabilities (`-all` first).
fn as_deploy(app: &App, vm: &Vm, caps: &str, argv: &[&str]) -> Run {
    let (id, group) = (DEPLOY.to_string(), docker_group().to_string());
    let user = [
        "setpriv", "--reuid", &id, "--regid", &id, "--groups", &group,
    ];
    let caps = ["--inh-caps", caps, "--ambient-caps", caps, "--"];
    let rest = [argv, &["--app", app.name()]].concat();
    run(vm.command(&[&user[..], &caps, &rest].concat()), None).unwrap()
}

fn promoted(app: &App, vm: &Vm, caps: &str, v2: &Built) -> Value {
    let done = as_deploy(app, vm, caps, &["promote"]);
    let report = ok(&done);
    app.assert_live(v2);
    report["swap"].clone()
}

#[test]
fn the_docker_group_alone_is_enough_for_every_step_but_for_the_bridge_and_the_drain() {
    let (app, vm, v2) = waiting("group");
    let probe = as_deploy(&app, &vm, "-all", &["probe-health"]);
    ok(&probe);
    let refused = as_deploy(&app, &vm, "-all", &["promote", "--bridge", "require"]);
    failed(&refused, 44, "no_bridge");
    let swap = promoted(&app, &vm, "-all", &v2);
    assert_eq!(swap["bridge"], "off", "{swap}");
    assert!(text(&swap["bridge_off_because"]).contains("nft"), "{swap}");
    assert_eq!(swap["drained_by"], "unknown", "{swap}");
    let flags = ["start-candidate", "--image", &v2.name];
    ok(&as_deploy(&app, &vm, "-all", &flags));
    ok(&as_deploy(&app, &vm, "-all", &["prune-app", "--candidate"]));
}

#[test]
fn with_the_sudoers_line_for_nft_the_docker_group_has_the_bridge() {
    let (app, vm, v2) = waiting("sudoers");
    vm.write("sudoers.d/nft", 0o440, &vm.shown("sudoers-nft"));
    let swap = promoted(&app, &vm, "-all", &v2);
    assert_eq!(swap["bridge"], "on", "{swap}");
    assert_eq!(swap["drained_by"], "unknown", "{swap}");
    let (id, group) = (DEPLOY.to_string(), docker_group().to_string());
    let user = [
        "setpriv", "--reuid", &id, "--regid", &id, "--groups", &group, "--",
    ];
    for other in [
        &["nft", "flush", "ruleset"][..],
        &["nft", "-f", "/etc/shadow"],
        &["id"],
    ] {
        let asked = run(
            vm.command(&[&user[..], &["sudo", "-n"], other].concat()),
            None,
        )
        .unwrap();
        assert_ne!(asked.code, 0, "{other:?}: {asked:?}");
    }
}

#[test]
fn three_capabilities_are_as_good_as_root_and_each_is_for_what_it_is_said_to_be_for() {
    let (app, vm, v2) = waiting("caps");
    let images = [v2, app.build("v3")];
    for (turn, (caps, bridge, drained_by)) in [
        ("+net_admin,+sys_admin,+sys_ptrace", "on", "tcp_info"),
        ("+net_admin", "on", "unknown"),
        ("+sys_ptrace", "off", "unknown"),
        ("+sys_admin,+sys_ptrace", "off", "tcp_info"),
    ]
    .into_iter()
    .enumerate()
    {
        let swap = promoted(&app, &vm, &format!("-all,{caps}"), &images[turn % 2]);
        assert_eq!(swap["bridge"], bridge, "{caps}: {swap}");
        assert_eq!(swap["drained_by"], drained_by, "{caps}: {swap}");
        app.candidate(&images[(turn + 1) % 2], &[]);
    }
}

#[test]
fn an_account_outside_of_the_docker_group_can_do_nothing() {
    let app = App::new("outside");
    let vm = Vm::of(&app, "127.0.0.1:1");
    let id = DEPLOY.to_string();
    let user = [
        "setpriv",
        "--reuid",
        &id,
        "--regid",
        &id,
        "--clear-groups",
        "--",
    ];
    for (step, more) in [
        ("pull-image", "web:v1"),
        ("start-candidate", "--previous"),
        ("probe-health", "--live"),
        ("promote", "--bridge=off"),
        ("prune-app", "--candidate"),
    ] {
        let argv = [&user[..], &[step, "--app", app.name(), more]].concat();
        let asked = run(vm.command(&argv), None).unwrap();
        failed(&asked, 4, "engine_unreachable");
    }
}

#[test]
fn a_place_for_the_lock_is_all_that_is_written_to() {
    let (app, vm, v2) = waiting("lock");
    let sealed = "mount -t tmpfs -o mode=1777 tmpfs /run/lock && mount -o remount,bind,ro / && \
                  mount -o remount,ro /run && mount -o remount,ro /etc && exec \"$@\"";
    let no_lock = "chmod 755 /run/lock; export TMPDIR=/nowhere; exec \"$@\"";
    let (id, group) = (DEPLOY.to_string(), docker_group().to_string());
    let user = [
        "setpriv", "--reuid", &id, "--regid", &id, "--groups", &group, "--",
    ];
    let promote = ["promote", "--app", app.name()];
    let with = |script| {
        run(
            vm.command(&[&["sh", "-c", script, "sh"], &user[..], &promote].concat()),
            None,
        )
        .unwrap()
    };
    let refused = with(no_lock);
    assert_eq!(refused.code, 1, "{refused:?}");
    ok(&with(sealed));
    app.assert_live(&v2);
}
