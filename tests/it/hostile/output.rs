//! What an app logs and answers: the steps show little of it, harmless, and keep little of it in memory.
//!
//! The bounds: 256 KiB on stdout, 16 KiB on stderr, whatever the app says.

use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;
use stage::hostile::SAID;
use stage::process::code_of;
use stage::steps::Run;

use crate::support::{App, failed, ok, text};

const MOST: (usize, usize) = (256 << 10, 16 << 10);
/// Beyond an ordinary probe, of which most are the programs themselves.
const MORE_MEMORY_KB: u64 = 16 << 10;

/// Nothing that was said can move a cursor, or command a CI runner, on either stream.
fn harmless(run: &Run) {
    for (stream, most) in [(&run.stdout, MOST.0), (&run.stderr, MOST.1)] {
        assert!(stream.len() <= most, "{} bytes", stream.len());
        assert!(!stream.contains("##["), "{run:?}");
        for line in stream.lines() {
            assert!(!line.chars().any(char::is_control), "{run:?}");
            assert!(!line.trim().starts_with("::"), "{run:?}");
        }
    }
}

/// Runs probe-health, and tells the most memory it had at any time, in KiB.
fn probed(app: &App, flags: &[&str]) -> (Run, u64) {
    let mut command = app.command("probe-health", flags);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.stdin(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let watch = std::thread::spawn(move || {
        let peak = |status: String| {
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let mut most = 0;
        while let Some(now) = std::fs::read_to_string(&status).ok().and_then(peak) {
            most = now.max(most);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        most
    });
    let out = child.wait_with_output().unwrap();
    let run = Run {
        code: code_of(out.status),
        stdout: String::from_utf8(out.stdout).unwrap(),
        stderr: String::from_utf8(out.stderr).unwrap(),
    };
    harmless(&run);
    (run, watch.join().unwrap())
}

fn last_saw(report: &Value) -> &str {
    let attempts = report["last_attempts"].as_array().unwrap();
    text(&attempts.last().unwrap()["saw"])
}

/// A candidate that answers, and the memory an ordinary probe of it takes.
fn answering(prefix: &str) -> (App, u64) {
    let app = App::new(prefix);
    app.start(&app.build("v1"), &[]);
    // On a busy machine it may have ended before it was looked at.
    let seen = (0..20).find_map(|_| {
        let (run, most) = probed(&app, &[]);
        ok(&run);
        (most > 0).then_some(most)
    });
    (app, seen.expect("its memory was never seen"))
}

#[test]
fn a_body_of_100_mb_is_read_no_further_than_its_text_is_looked_for() {
    let (app, ordinary) = answering("body");
    let flags = ["--path", "/hostile?mb=100", "--attempts", "1"];
    let (run, memory) = probed(&app, &flags);
    assert_eq!(last_saw(&ok(&run)), "status 200");
    assert!(memory < ordinary + MORE_MEMORY_KB, "{memory} {ordinary}");
    let absent = ["--expect-body", "not there"];
    let (run, memory) = probed(&app, &[&flags[..], &absent].concat());
    let report = failed(&run, 30, "unhealthy");
    let lacks = "status 200, but the body lacks the expected text";
    assert_eq!(last_saw(&report), lacks);
    assert!(memory < ordinary + MORE_MEMORY_KB, "{memory} {ordinary}");
}

#[test]
fn an_answer_that_is_no_http_is_30_and_harmless() {
    let (app, _) = answering("garbage");
    let flags = ["--path", "/garbage", "--attempts", "1"];
    failed(&probed(&app, &flags).0, 30, "unhealthy");
}

#[test]
fn a_program_inside_that_prints_100_mb_is_only_asked_for_its_exit_code() {
    let (app, ordinary) = answering("inside");
    let flags = ["--exec", "/demo-app hostile 100", "--attempts", "1"];
    let (run, memory) = probed(&app, &[&flags[..], &["--timeout", "60s"]].concat());
    assert_eq!(last_saw(&failed(&run, 30, "unhealthy")), "exit 1");
    assert!(memory < ordinary + MORE_MEMORY_KB, "{memory} {ordinary}");
}

#[test]
fn a_log_of_100_mb_leaves_20_harmless_lines() {
    let (_app, ordinary) = answering("quiet");
    let app = App::new("loud");
    let image = app.image("v1").env("CRASH", "1").env("HOSTILE_MB", "100");
    app.start(&app.tagged(&image, "v1"), &[]);
    let (run, memory) = probed(&app, &["--within", "100s"]);
    let log = failed(&run, 32, "crashed")["log"].clone();
    let log = log.as_array().unwrap();
    assert!((5..=20).contains(&log.len()), "{log:?}");
    assert!(log.iter().all(|line| text(line).starts_with("| ")));
    assert!(log.iter().any(|line| text(line).contains("told")));
    assert!(memory < ordinary + MORE_MEMORY_KB, "{memory} {ordinary}");
    ok(&app.step("prune-app", &["--candidate"]));
}

#[test]
fn a_new_container_that_says_such_things_and_ends_is_rolled_back_harmlessly() {
    let app = App::new("ends");
    app.deploy(&app.build("v1"), &[]);
    let flags = tempfile::tempdir().unwrap();
    let mount = format!("{}:/flags:ro", flags.path().display());
    let image = app.image("v2").env("CRASH_FILE", "/flags/on");
    let image = app.tagged(&image.env("HOSTILE_MB", "1"), "v2");
    app.candidate(&image, &["-v", &mount]);
    std::fs::write(flags.path().join("on"), "").unwrap();
    let run = app.promote(&[]);
    harmless(&run);
    let report = failed(&run, 41, "rolled_back_unhealthy");
    assert!(report["log"].to_string().contains("told"), "{report}");
    assert_eq!(app.answer(), "v1");
}

#[test]
fn an_endpoint_that_drips_a_byte_a_second_is_cut_by_the_timeout() {
    let (app, _) = answering("drip");
    let cut = ["--timeout", "2s", "--attempts", "1"];
    let head = ["--path", "/drip"];
    let body = ["--path", "/drip-body", "--expect-body", "not there"];
    for path in [&head[..], &body] {
        let (run, _) = probed(&app, &[path, &cut].concat());
        let report = failed(&run, 30, "unhealthy");
        let took = report["took_ms"].as_u64().unwrap();
        assert!((2000..60_000).contains(&took), "{report}");
    }
}

#[test]
fn a_redirect_is_not_followed_wherever_it_leads() {
    let (app, _) = answering("led");
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let local = format!("http://{}/", elsewhere.local_addr().unwrap());
    for to in ["http://169.254.169.254/latest/meta-data/", &local] {
        let path = format!("/redirect?{to}");
        let (run, _) = probed(&app, &["--path", &path, "--attempts", "1"]);
        assert_eq!(last_saw(&failed(&run, 30, "unhealthy")), "status 302");
    }
    assert!(elsewhere.accept().is_err(), "somebody followed it");
}

#[test]
fn what_the_app_says_is_as_hostile_as_it_claims() {
    let said = String::from_utf8_lossy(SAID);
    assert!(std::str::from_utf8(SAID).is_err());
    assert!(said.contains("##[") && said.contains('\u{1b}') && said.starts_with("::"));
}
