//! What a stolen key is good for: nothing that the administrator has not provided for.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::docker::docker;
use tests::steps::{Run, run};

use super::Remote;
use crate::support::{App, ok};
use crate::vm::Vm;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Nothing of this is a request.
fn attempts() -> Vec<String> {
    let plain = [
        "sh",
        "id",
        "-v",
        "--help",
        "deploy",
        "deploy ",
        "Deploy v2",
        "deploy v2 ",
        " deploy v2",
        "deploy  v2",
        "deploy v2; id",
        "deploy v2 && id",
        "deploy v2 | id",
        "deploy v2 > /etc/x",
        "deploy $(id)",
        "deploy `id`",
        "deploy ${HOME}",
        "deploy v2 --privileged",
        "deploy v2 -1",
        "deploy v2 1 2",
        "deploy v2 1e9",
        "deploy v2 9999999999999999999",
        "deploy -v",
        "deploy --help",
        "deploy .v2",
        "deploy ../x",
        "deploy x/y",
        "deploy evil.example.com/web:v2",
        "deploy web:v2",
        "deploy @v2",
        "deploy sha256:0123",
        "deploy sha512:0123",
        "deploy *",
        "deploy v?",
        "deploy ~",
        "deploy v2\nid",
        "deploy v2\n",
        "\ndeploy v2",
        "status\nid",
        "deploy v2\rid",
        "deploy v2\tid",
        "deploy 'v2'",
        "deploy \"v2\"",
        "deploy v\\2",
        "deploy v2#",
        "deploy vé",
        "deploy v\u{1b}[2J",
        "rollback now",
        "status --docker /bin/sh",
        "promote --from -",
        "probe-health --live",
        "scp -t /etc",
        "scp -f /etc/shadow",
        "rsync --server . /",
        "/usr/lib/openssh/sftp-server",
        "env",
        "docker run -v /:/host alpine",
        "deploy-over-ssh web ghcr.io/acme/web",
        "eval id",
    ];
    let long = [
        format!("deploy {}", "v".repeat(129)),
        format!("deploy {}", "v".repeat(100_000)),
        format!("deploy {DIGEST}0"),
        format!("deploy {}", DIGEST.to_uppercase()),
        format!("deploy v2@{DIGEST}"),
    ];
    plain.map(str::to_owned).into_iter().chain(long).collect()
}

fn assert_refused(run: &Run, request: &str) {
    assert_eq!((run.code, &*run.stdout), (2, ""), "{request:?}: {run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(
        lines
            .last()
            .is_some_and(|it| it.starts_with("deploy-over-ssh: refused")),
        "{run:?}"
    );
}

/// Everything of the app and of the engine that an attempt might change.
fn state(app: &App) -> String {
    let all = docker([
        "ps",
        "-aq",
        "--no-trunc",
        "--filter",
        &format!("name={}", app.name()),
    ]);
    let label = format!("label=app={}", app.name());
    let images = docker(["image", "ls", "-aq", "--no-trunc", "--filter", &label]);
    format!("{} {}", all.unwrap(), images.unwrap())
}

#[test]
fn whatever_else_a_key_asks_for_is_refused_and_does_nothing() {
    let at = Remote::new("stolen");
    at.release("v2");
    assert_eq!(at.server.run("deploy v2").code, 0);
    let before = state(&at.app);
    // Over the wire for some, as each takes a tenth of a second; the rest as sshd would hand it on.
    let (wired, rest): (Vec<_>, Vec<_>) = attempts()
        .into_iter()
        .enumerate()
        .partition(|it| it.0 % 3 == 0);
    for (_, request) in wired {
        let asked = run(at.server.ask(&[], &request), None).unwrap();
        assert_refused(&asked, &request);
        assert_eq!(asked.stderr.lines().count(), 1, "{asked:?}");
    }
    let script = [
        "/usr/local/sbin/deploy-over-ssh",
        at.app.name(),
        &at.vm.repository,
    ];
    let each = "for request in \"$REQUESTS\"/*; do SSH_ORIGINAL_COMMAND=$(cat \"$request\"; echo .)
        SSH_ORIGINAL_COMMAND=${SSH_ORIGINAL_COMMAND%.} \"$@\" || echo $?; done";
    let folder = tempfile::tempdir().unwrap();
    for (number, request) in &rest {
        fs::write(folder.path().join(number.to_string()), request).unwrap();
    }
    let mut all = at
        .vm
        .command(&[&["sh", "-c", each, "sh"], &script[..]].concat());
    all.env("REQUESTS", folder.path());
    let all = run(all, None).unwrap();
    assert_eq!(all.stdout, "2\n".repeat(rest.len()), "{all:?}");
    assert_eq!(all.stderr.lines().count(), rest.len(), "{all:?}");
    assert_eq!(state(&at.app), before);
}

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
