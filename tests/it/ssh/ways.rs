//! A stolen key's other ways in: the protocol's own, the environment, a missing configuration, the log.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use stage::steps::run;

use super::Remote;
use super::refused::{assert_refused, state};
use crate::support::{App, ok};
use crate::vm::Vm;

#[test]
fn the_protocol_s_other_ways_in_are_closed_too() {
    let at = Remote::new("ways");
    at.release("v1");
    assert_eq!(at.server.run("deploy v1").code, 0);
    let before = state(&at.app);
    let ask = |options: &[&str], request: &str| run(at.server.ask(options, request), None).unwrap();
    // No command, a terminal, a subsystem.
    assert_refused(&ask(&[], ""), "");
    let terminal = ask(&["-tt"], "sh");
    let why = terminal.stderr.contains("PTY allocation request failed");
    assert!(terminal.code != 0 && why, "{terminal:?}");
    // A subsystem has no stderr.
    let sftp = ask(&["-s"], "sftp");
    assert_eq!((sftp.code, &*sftp.stdout), (2, ""), "{sftp:?}");
    // More than an environment takes: not even the script is started.
    let long = ask(&[], &format!("deploy {}", "v".repeat(131_060)));
    assert!(long.code != 0 && long.stdout.is_empty(), "{long:?}");
    // Connections through the server, to it, and back from it.
    let target = at.app.addr().to_string();
    let through = ask(&["-W", &target], "");
    assert!(
        through.code != 0 && through.stderr.contains("prohibited"),
        "{through:?}"
    );
    let back = format!("0:{target}");
    let back = ask(&["-N", "-o", "ExitOnForwardFailure=yes", "-R", &back], "");
    assert!(
        back.code != 0 && back.stderr.contains("forwarding failed"),
        "{back:?}"
    );
    let tunnel = ask(&["-N", "-o", "ExitOnForwardFailure=yes", "-w", "any"], "");
    assert_ne!(tunnel.code, 0, "{tunnel:?}");
    assert_eq!(state(&at.app), before);
}

#[test]
fn a_forwarded_agent_stays_where_it_is() {
    let at = Remote::new("agent");
    let ssh = at.server.ask(&["-A"], "status");
    let mut agent = Command::new("ssh-agent");
    agent.arg(ssh.get_program()).args(ssh.get_args());
    assert_eq!(run(agent, None).unwrap().code, 31);
    let log = at.server.log();
    assert!(log.contains("agent forwarding disabled"), "{log}");
}

#[test]
fn nothing_of_the_environment_that_a_client_sends_reaches_a_step() {
    let at = Remote::new("sent");
    at.release("v1");
    assert_eq!(at.server.run("deploy v1").code, 0);
    let sent = "SetEnv=DEPLOY_STEPS_DOCKER=/bin/false DOCKER_HOST=tcp://127.0.0.1:1 APP_NAME=x \
                CONTAINER_NAME=x APP_PORT=1 MAX_RETRIES=x PATH=/nowhere HOME=/nowhere IFS=e ENV=/nowhere \
                SSH_ORIGINAL_COMMAND=sh LC_ALL=x";
    let status = run(at.server.ask(&["-o", sent], "status"), None).unwrap();
    let report: Value = ok(&status);
    assert_eq!(report["container"], at.app.name());
}

#[test]
fn without_its_configuration_the_script_does_nothing_and_says_so() {
    let app = App::new("bare");
    let vm = Vm::of(&app, "127.0.0.1:1");
    fs::remove_file(vm.etc(&format!("deploy-steps/{}.conf", app.name()))).unwrap();
    let mut script = vm.command(&["deploy-over-ssh", app.name(), &vm.repository]);
    script.env("SSH_ORIGINAL_COMMAND", "deploy v1");
    let said = run(script, None).unwrap();
    assert_eq!((said.code, &*said.stdout), (1, ""), "{said:?}");
    assert!(said.stderr.contains(".conf cannot be read"), "{said:?}");
}

#[test]
fn a_refusal_is_a_line_in_the_system_s_log_without_control_characters() {
    let app = App::new("logged");
    let vm = Vm::of(&app, "127.0.0.1:1");
    let folder = tempfile::tempdir().unwrap();
    let log = UnixDatagram::bind(folder.path().join("log")).unwrap();
    log.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    fs::create_dir(folder.path().join("dev")).unwrap();
    // A /dev of its own, in which the system's log is ours.
    let dev = "mount -t tmpfs tmpfs $0/dev && touch $0/dev/null && mount --bind /dev/null $0/dev/null && \
               ln -s $0/log $0/dev/log && mount --move $0/dev /dev && exec \"$@\"";
    let outer = ["sh", "-c", dev, folder.path().to_str().unwrap()];
    let script = ["deploy-over-ssh", app.name(), &vm.repository];
    let mut script = vm.command(&[&outer[..], &script].concat());
    script.env(
        "SSH_ORIGINAL_COMMAND",
        "deploy \u{1b}[31m\nroot: all is well",
    );
    assert_refused(&run(script, None).unwrap(), "");
    let mut line = [0; 4096];
    let length = log.recv(&mut line).expect("no line in the log");
    let line = String::from_utf8_lossy(&line[..length]).into_owned();
    let end = format!(
        "deploy-over-ssh: refused for {}: deploy ?[31m?root: all is well",
        app.name()
    );
    // Facility auth, severity warning.
    assert!(line.starts_with("<36>") && line.ends_with(&end), "{line:?}");
}
