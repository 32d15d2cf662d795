//! What each right is for: the same promotion as accounts that have it and that lack it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::{env, fs};

use serde_json::Value;
use stage::image::Built;
use stage::steps::{Run, run};

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
pub(crate) fn docker_group() -> u32 {
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

/// The words that run a command as the user of this id, who is in no group but his own.
fn outsider(id: &str) -> [&str; 7] {
    [
        "setpriv",
        "--reuid",
        id,
        "--regid",
        id,
        "--clear-groups",
        "--",
    ]
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
fn a_folder_that_is_closed_to_the_account_keeps_no_step_from_its_work() {
    let (app, vm, v2) = waiting("closed");
    let (id, group) = (DEPLOY.to_string(), docker_group().to_string());
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let at = folder.path().to_str().unwrap();
    let run_there = |argv: &[&str]| {
        // As `sudo -u deploy` does, it stays where it was called.
        let user =
            format!("cd {at} && exec setpriv --reuid {id} --regid {id} --groups {group} -- \"$@\"");
        let rest = [argv, &["--app", app.name()]].concat();
        let words = [&["sh", "-c", &user, "sh"][..], &rest].concat();
        run(vm.command(&words), None).unwrap()
    };
    ok(&run_there(&["promote"]));
    app.assert_live(&v2);
    ok(&run_there(&["start-candidate", "--image", &v2.name]));
    ok(&run_there(&["prune-app", "--candidate"]));
}

/// The two programs as the package has them for the docker group, in a folder of their own.
fn with_rights(group: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/opt").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for place in ["bin", "sbin"] {
        fs::create_dir(folder.path().join(place)).unwrap();
    }
    for program in ["promote", "prune-app"] {
        let to = folder.path().join("bin").join(program);
        fs::copy(stage::cargo::steps().unwrap().join(program), to).unwrap();
    }
    let root = stage::cargo::workspace();
    let script = folder.path().join("sbin/deploy-steps-rights");
    fs::copy(root.join("xtask/dist/deploy-steps-rights"), &script).unwrap();
    let mut command = std::process::Command::new(&script);
    command.arg(group.to_string());
    let given = run(command, None).unwrap();
    assert_eq!(given.code, 0, "{given:?}");
    folder
}

#[test]
fn a_member_of_the_docker_group_has_bridge_drain_and_heir_by_the_programs_own_rights() {
    let (app, vm, v2) = waiting("rights");
    let programs = with_rights(docker_group());
    let promote = programs.path().join("bin/promote");
    let load = stage::load::Load::start(app.addr(), "/", 100);
    let done = as_deploy(
        &app,
        &vm,
        "-all",
        &[promote.to_str().unwrap(), "--bridge", "require"],
    );
    let swap = ok(&done)["swap"].clone();
    let seen = load.stop();
    app.assert_live(&v2);
    assert_eq!(swap["bridge"], "on", "{swap}");
    assert_eq!(swap["drained_by"], "tcp_info", "{swap}");
    assert_eq!(seen.failed(), 0, "{:?} {swap}", seen.kinds());
}

#[test]
fn the_programs_rights_are_for_root_and_the_group_alone_and_go_to_no_program_but_nft() {
    let (app, vm, _) = waiting("rights-only");
    let programs = with_rights(docker_group());
    let promote = programs.path().join("bin/promote");
    let (promote, id) = (promote.to_str().unwrap(), DEPLOY.to_string());
    let stranger = outsider(&id);
    // By a shell, as setpriv itself still has the rights of root when it starts a program.
    let by_shell = ["sh", "-c", "exec \"$0\" --version", promote];
    let refused = run(vm.command(&[&stranger[..], &by_shell].concat()), None).unwrap();
    assert_ne!(refused.code, 0, "{refused:?}");
    // What stands in the place of the engine's CLI says which rights it has.
    let spy = programs.path().join("docker");
    let seen = programs.path().join("seen");
    fs::write(&seen, "").unwrap();
    fs::set_permissions(&seen, fs::Permissions::from_mode(0o666)).unwrap();
    let script = format!(
        "#!/bin/sh\ngrep ^Cap /proc/self/status >>{}\nexec docker \"$@\"\n",
        seen.display()
    );
    fs::write(&spy, script).unwrap();
    fs::set_permissions(&spy, fs::Permissions::from_mode(0o755)).unwrap();
    let words = [promote, "--docker", spy.to_str().unwrap()];
    ok(&as_deploy(&app, &vm, "-all", &words));
    let seen = fs::read_to_string(&seen).unwrap();
    let of = |set: &str| {
        seen.lines()
            .filter(|line| line.starts_with(set))
            .map(|line| line.rsplit('\t').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert!(!of(set).is_empty(), "{seen}");
        assert!(
            of(set)
                .iter()
                .all(|it| it.trim_start_matches('0').is_empty()),
            "{set}: {seen}"
        );
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
    let user = outsider(&id);
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
    let sealed = "mount -o remount,bind,ro / && mount -o remount,ro /run && mount -o remount,ro /etc && exec \"$@\"";
    let no_lock = "chmod 700 /run/deploy-steps; exec \"$@\"";
    let (id, group) = (DEPLOY.to_string(), docker_group().to_string());
    let user = [
        "setpriv", "--reuid", &id, "--regid", &id, "--groups", &group, "--",
    ];
    let promote = ["promote", "--app", app.name()];
    let with = |script: &str| {
        run(
            vm.command(&[&["sh", "-c", script, "sh"], &user[..], &promote].concat()),
            None,
        )
        .unwrap()
    };
    let refused = with(no_lock);
    assert_eq!(refused.code, 1, "{refused:?}");
    ok(&with(&format!("chmod 2770 /run/deploy-steps; {sealed}")));
    app.assert_live(&v2);
}
