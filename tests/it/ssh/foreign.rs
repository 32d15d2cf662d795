//! What the deploy action makes of a client and a VM that it cannot trust; an `ssh` of ours plays both.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use stage::hostile::SAID;
use stage::process::code_of;
use stage::steps::run;

use super::runner::{Done, Runner, everything};
use super::told::Told;
use crate::support::eventually;

const KEY: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\r\nsecret\r\n-----END OPENSSH PRIVATE KEY-----\r\n";
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The command of the action where `ssh` is this script; its own files are in the runner's `home`.
fn with_ssh(runner: &Runner, script: &str, inputs: &[(&'static str, &str)]) -> Command {
    let home = runner.path("home");
    let (text, ssh) = (home.join("text"), home.join("ssh"));
    fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
    // Written by another process: a program that this one has open for writing could not be started.
    let mut install = Command::new("install");
    install.args(["-m", "755"]).args([&text, &ssh]);
    assert_eq!(run(install, None).unwrap().code, 0);
    let given = [
        ("host", "vm.example.com"),
        ("known-hosts", "vm.example.com ssh-ed25519 AAAA"),
        ("ssh-key", KEY),
        ("digest", DIGEST),
    ];
    let all = given.iter().chain(inputs);
    let all: Vec<_> = all.map(|it| (it.0, it.1.to_owned())).collect();
    let mut action = runner.action(&all);
    let path = env::var("PATH").unwrap();
    action.env("PATH", format!("{}:{path}", home.display()));
    action
}

fn done(script: &str, inputs: &[(&'static str, &str)]) -> Done {
    let runner = Runner::new();
    runner.run(with_ssh(&runner, script, inputs))
}

fn error(title: &str, text: &str) -> Told {
    Told {
        name: "error".to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn the_key_is_in_one_file_for_its_owner_and_neither_on_a_command_line_nor_in_an_environment() {
    let runner = Runner::new();
    let script = r#"{ echo "$*"; env; stat -c %a key; } >"$HOME/seen"; cp key "$HOME/key"; exit 7"#;
    let done = runner.run(with_ssh(&runner, script, &[]));
    assert_eq!(done.run.code, 7, "{done:?}");
    let home = runner.path("home");
    let seen = fs::read_to_string(home.join("seen")).unwrap();
    assert!(seen.contains(&format!("-- vm.example.com deploy {DIGEST} 42\n")));
    assert!(seen.contains("StrictHostKeyChecking=yes"), "{seen}");
    assert!(seen.ends_with("\n600\n"), "{seen}");
    assert!(
        !seen.contains("secret") && !seen.contains("PRIVATE KEY"),
        "{seen}"
    );
    let key = fs::read_to_string(home.join("key")).unwrap();
    assert_eq!(key.trim_end(), KEY.replace('\r', "").trim_end());
}

#[test]
fn a_cancelled_job_ends_its_ssh_and_leaves_no_key() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let runner = Runner::new();
        let script = r#"echo $$ >"$HOME/pid.new"; mv "$HOME/pid.new" "$HOME/pid"; exec sleep 60"#;
        let mut action = with_ssh(&runner, script, &[]);
        let (pid, temp) = (runner.path("home").join("pid"), runner.path("temp"));
        let mut action = action.stdout(Stdio::null()).spawn().unwrap();
        eventually("ssh runs", || pid.exists());
        assert!(everything(&temp).contains("PRIVATE KEY"));
        kill_process(Pid::from_child(&action), signal).unwrap();
        assert_eq!(code_of(action.wait().unwrap()), code);
        assert!(!everything(&temp).contains("PRIVATE KEY"));
        let ssh = format!("/proc/{}", fs::read_to_string(pid).unwrap().trim());
        eventually("ssh has ended", || !fs::exists(&ssh).unwrap());
    }
}

#[test]
fn a_vm_that_ends_well_without_having_done_what_was_asked_fails_the_job() {
    let other = DIGEST.replace("0123", "ffff");
    let promoted = |image: &str| format!(r#"{{"step":"promote","ok":true,"image":"{image}"}}"#);
    let asked = promoted(&format!("r/web@{DIGEST}"));
    let says = |lines: &str| format!("cat <<'END'\n{lines}\nEND");
    for lines in [
        "",
        "hello",
        &promoted("r/web:v1"),
        &promoted(&other),
        "{\"ok\":true}",
    ] {
        let done = done(&says(lines), &[]);
        assert_eq!(done.run.code, 1, "{lines}: {done:?}");
        let text = "the VM ended with 0, but no report says that it did what was asked";
        assert_eq!(done.told()[0], error("deploy", text));
    }
    let live = done(&says(&asked), &[]);
    assert_eq!((live.run.code, live.told()), (0, vec![]), "{live:?}");
    let left = r#"{"step":"prune-app","ok":false,"error":{"code":50,"message":"m","hint":"h"}}"#;
    let untidy = done(&says(&format!("{asked}\n{left}")), &[]);
    let warning = Told {
        name: "warning".to_owned(),
        ..error("prune-app (exit 50)", "m\nh")
    };
    assert_eq!((untidy.run.code, untidy.told()), (0, vec![warning]));
}

#[test]
fn what_a_vm_says_is_shown_and_never_carried_out_on_either_stream_or_in_a_report() {
    let runner = Runner::new();
    let script = "cat \"$HOME/said\"; cat \"$HOME/said\" >&2; cat \"$HOME/report\"; exit 30";
    let action = with_ssh(&runner, script, &[]);
    fs::write(runner.path("home").join("said"), SAID).unwrap();
    let said = "100%: a,b\r\n::error::told\n##[error]told\u{1b}[31m\u{202e}";
    let report = serde_json::json!({
        "step": "x,title=y:: (%0A",
        "ok": false,
        "error": { "code": "30\n", "message": said, "hint": ["a hint"] },
        "log": ["```", "</pre><script>alert(1)</script>", "", 7],
        "took_ms": "<b>",
    });
    fs::write(runner.path("home").join("report"), format!("{report}\n5\n")).unwrap();
    let done = runner.run(action);
    assert_eq!(done.run.code, 30, "{done:?}");
    let text = "100%: a,b?\n::error::told\n##[error]told?[31m?\n[\"a hint\"]";
    let title = "x,title=y:: (%0A (exit 30\n)";
    assert_eq!(done.told(), [error(title, text)], "{done:?}");
    assert!(done.run.stdout.contains("vm | ::error::told"), "{done:?}");
    assert_eq!(done.reports, [report]);
    let summary = &done.summary;
    assert!(
        !summary.contains("<script>") && !summary.contains("<b>"),
        "{summary}"
    );
    assert_eq!(summary.matches("</pre>").count(), 1, "{summary}");
    assert!(summary.contains("&lt;/pre&gt;&lt;script&gt;"), "{summary}");
}

#[test]
fn inputs_that_are_missing_or_that_ssh_would_take_for_options_are_refused_before_it_starts() {
    let wrong = [
        ("host", ""),
        ("host", "-oProxyCommand=id"),
        ("host", "a b"),
        ("host", "vm\n-x"),
        ("user", "-x"),
        ("port", "22 -x"),
        ("known-hosts", ""),
        ("ssh-key", ""),
        ("digest", ""),
        ("digest", "latest"),
        ("digest", &format!("{DIGEST}\nrollback")),
        ("deploy-id", "-1"),
        ("request", "sh"),
    ];
    for (name, value) in wrong {
        let runner = Runner::new();
        let action = with_ssh(&runner, "touch \"$HOME/ran\"", &[(name, value)]);
        let done = runner.run(action);
        assert_eq!(done.run.code, 2, "{name}={value}: {done:?}");
        assert_eq!(done.output("exit-code"), Some("2"));
        let told = done.told();
        assert!(told.len() == 1 && told[0].text.contains(name), "{told:?}");
        assert!(!runner.path("home").join("ran").exists());
    }
}
