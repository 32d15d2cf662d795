//! The engine is missing, away, closed to us, or silent: each step says which, in time, and leaves nothing running.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use stage::docker::Scope;
use stage::process::scrub;
use stage::relay::Relay;

use super::{STEPS, asked, done, failed, ready};
use crate::support::{engine_at, eventually};

/// Every step, with an app of its own.
fn each(prefix: &str) -> impl Iterator<Item = (&'static str, Scope, Command)> {
    STEPS.iter().map(move |(name, _)| {
        let scope = Scope::new(prefix);
        let command = ready(name, scope.app());
        (*name, scope, command)
    })
}

#[test]
fn a_missing_cli_is_3() {
    for (name, _scope, mut command) in each("nocli") {
        command.args(["--docker", "/nowhere/docker"]);
        let report = failed(&asked(command), 3, "no_docker");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains("/nowhere/docker"), "{name}: {message}");
    }
}

#[test]
fn a_path_without_docker_and_podman_is_3() {
    let empty = tempfile::tempdir().unwrap();
    for (_, _scope, mut command) in each("nopath") {
        command.env("PATH", empty.path());
        failed(&asked(command), 3, "no_docker");
    }
}

#[test]
fn a_cli_that_is_no_program_is_3() {
    let folder = tempfile::tempdir().unwrap();
    let cli = folder.path().join("docker");
    fs::write(&cli, "not a program").unwrap();
    for (_, _scope, mut command) in each("notexec") {
        command.arg("--docker").arg(&cli);
        failed(&asked(command), 3, "no_docker");
    }
}

#[test]
fn an_engine_that_is_away_is_4() {
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    for host in [dead, folder.path().join("none.sock")] {
        for (_, _scope, mut command) in each("away") {
            engine_at(&mut command, &format!("unix://{}", host.display()));
            failed(&asked(command), 4, "engine_unreachable");
        }
    }
}

#[test]
fn an_engine_that_is_closed_to_this_user_is_4() {
    assert!(
        rustix::process::geteuid().is_root(),
        "the stage runs as root"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let closed = folder.path().join("closed.sock");
    let _listener = UnixListener::bind(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o600)).unwrap();
    for (name, _scope, command) in each("closed") {
        let copy = folder.path().join(name);
        fs::copy(command.get_program(), &copy).unwrap();
        let mut nobody = Command::new("setpriv");
        scrub(&mut nobody)
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(copy)
            .args(command.get_args())
            .env("DOCKER_HOST", format!("unix://{}", closed.display()))
            .env("DOCKER_CONFIG", folder.path());
        let report = failed(&asked(nobody), 4, "engine_unreachable");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains("permission denied"), "{message}");
    }
}

/// The processes whose environment mentions `mark`.
fn left_over(mark: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let environ = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
    let found = environ.filter(|bytes| String::from_utf8_lossy(bytes).contains(mark));
    found.count()
}

/// A socket that accepts and never answers.
fn silent(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        let _open: Vec<_> = listener.incoming().flatten().collect();
    });
}

#[test]
fn an_engine_that_never_answers_is_5_in_time_and_leaves_no_child() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("silent.sock");
    silent(&socket);
    let mark = format!("unix://{}", socket.display());
    for (name, _scope, mut command) in each("hung") {
        if name == "pull-image" {
            command.args(["--attempts", "1"]);
        }
        engine_at(&mut command, &mark).args(["--engine-timeout", "1s"]);
        let started = Instant::now();
        let run = asked(command);
        let report = failed(&run, 5, "engine_timeout");
        assert!(started.elapsed() < Duration::from_secs(30), "{name}");
        assert!(report["took_ms"].as_u64().unwrap() >= 1000, "{run:?}");
        eventually(&format!("nothing is left of {name}"), || {
            left_over(&mark) == 0
        });
    }
}

#[test]
fn a_cli_that_leaves_its_pipes_to_others_is_5_and_they_are_ended_too() {
    let folder = tempfile::tempdir().unwrap();
    let cli = folder.path().join("docker");
    fs::write(&cli, "#!/bin/sh\nsleep 600 &\nsleep 600\n").unwrap();
    fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
    let mark = format!("MARK={}", folder.path().display());
    let scope = Scope::new("pipes");
    let mut command = ready("probe-health", scope.app());
    command
        .args(["--engine-timeout", "1s"])
        .arg("--docker")
        .arg(&cli);
    command.env("MARK", folder.path());
    failed(&asked(command), 5, "engine_timeout");
    eventually("nothing is left of it", || left_over(&mark) == 0);
}

#[test]
fn the_cli_may_be_named_by_the_environment_and_a_flag_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (cli, log) = (folder.path().join("mine"), folder.path().join("log"));
    let script = format!(
        "#!/bin/sh\necho called >> {}\nexec docker \"$@\"\n",
        log.display()
    );
    fs::write(&cli, script).unwrap();
    fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
    let scope = Scope::new("byenv");
    let mut command = ready("prune-app", scope.app());
    command.env("DEPLOY_STEPS_DOCKER", &cli);
    done(&asked(command));
    assert!(fs::read_to_string(&log).unwrap().contains("called"));

    File::create(&log).unwrap();
    let mut command = ready("prune-app", scope.app());
    command
        .env("DEPLOY_STEPS_DOCKER", &cli)
        .args(["--docker", "docker"]);
    done(&asked(command));
    assert_eq!(fs::read_to_string(&log).unwrap(), "");

    let mut command = ready("prune-app", scope.app());
    command.env("DEPLOY_STEPS_DOCKER", "/nowhere/docker");
    failed(&asked(command), 3, "no_docker");
}

/// It may lead to podman, or to another machine.
#[test]
fn a_docker_that_is_a_script_is_asked_every_question_and_no_socket_is() {
    let folder = tempfile::tempdir().unwrap();
    let (script, log) = (folder.path().join("docker"), folder.path().join("log"));
    let real = which::which("docker").unwrap();
    let text = format!(
        "#!/bin/sh\necho \"$@\" >> {}\nexec {} \"$@\"\n",
        log.display(),
        real.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let scope = Scope::new("script");
    let mut command = ready("prune-app", scope.app());
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", folder.path().display()));
    let relay = Relay::start().unwrap();
    command.env("DOCKER_HOST", relay.host());
    done(&asked(command));
    assert!(relay.seen().is_empty(), "{:?}", relay.seen());
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("ps --all"), "{log}");
}

#[test]
fn a_container_that_cannot_be_read_is_not_told_as_another_one_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let cli = folder.path().join("docker");
    let script = "#!/bin/sh\n[ \"$2\" = inspect ] || exec docker \"$@\"\necho '[{\"Id\": 1}]'\necho 'Error: No such container: web-new' >&2\nexit 1\n";
    fs::write(&cli, script).unwrap();
    fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["probe-health", "promote"] {
        let scope = Scope::new("unread");
        let mut command = ready(name, scope.app());
        command.arg("--docker").arg(&cli);
        let report = failed(&asked(command), 1, "unexpected");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains("not of the expected shape"), "{message}");
    }
}

#[test]
fn a_step_that_begins_in_a_folder_that_was_removed_reaches_the_engine() {
    let scope = Scope::new("nofolder");
    let ready = ready("prune-app", scope.app());
    let mut sh = Command::new("sh");
    scrub(&mut sh)
        .args(["-c", "cd $(mktemp -d) && rmdir $PWD && exec \"$@\"", "sh"])
        .arg(ready.get_program())
        .args(ready.get_args());
    done(&asked(sh));
}
