//! What people see of a wait: a living line on a terminal, plain lines elsewhere, nothing with `--quiet`.

use std::fs::OpenOptions;
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;
use stage::process::code_of;

use crate::runs;
use crate::support::{App, ok};

const COLUMNS: u16 = 100;
const ROWS: u16 = 50;

/// What a step that ended left on a terminal and on stdout.
struct Watched {
    code: i32,
    stdout: String,
    /// All that was ever written to the terminal.
    written: String,
    /// What stands on it at the end.
    screen: String,
}

impl Watched {
    fn report(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The lines at the end that begin so.
    fn lines(&self, beginning: &str) -> Vec<&str> {
        let lines = self.screen.lines().map(str::trim_end);
        lines.filter(|line| line.starts_with(beginning)).collect()
    }
}

/// Runs a step whose stderr, and nothing else, is a terminal.
fn watched(mut command: Command, term: &str) -> Watched {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize {
        ws_row: ROWS,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let name = name.into_string().unwrap();
    let side = OpenOptions::new().read(true).write(true).open(name);
    let child = command
        .env("TERM", term)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(OwnedFd::from(side.unwrap()))
        .spawn()
        .unwrap();
    drop(command);
    let reader = thread::spawn(move || {
        let (mut terminal, mut all, mut some) =
            (std::fs::File::from(terminal), Vec::new(), [0; 4096]);
        // The end of a terminal is an error, once nobody has its other side any more.
        while let Ok(count @ 1..) = terminal.read(&mut some) {
            all.extend(&some[..count]);
        }
        all
    });
    let done = child.wait_with_output().unwrap();
    let written = reader.join().unwrap();
    let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
    screen.process(&written);
    Watched {
        code: code_of(done.status),
        stdout: String::from_utf8(done.stdout).unwrap(),
        written: String::from_utf8(written).unwrap(),
        screen: screen.screen().contents(),
    }
}

/// A wait for an address where nobody is.
fn nobody_there(flags: &[&str]) -> (Command, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut command = stage::steps::step("probe-health").unwrap();
    command.args(["--url", &url]).args(flags);
    (command, format!("probe-health: waiting for {url}"))
}

#[test]
fn a_terminal_shows_what_is_awaited_for_how_long_and_what_was_seen_last() {
    let (command, line) = nobody_there(&["--within", "2s"]);
    let seen = watched(command, "xterm");
    assert_eq!(seen.code, 30);
    let report = seen.report();
    let saw = report["last_attempts"][0]["saw"].as_str().unwrap();
    let at = |second| seen.written.contains(&format!(" {second} s  {line}"));
    assert!(
        (0..30).filter(|it| at(*it)).count() > 1,
        "{:?}",
        seen.written
    );
    let last = format!(" s  {line}: {saw}");
    assert!(seen.written.contains(&last), "{:?}", seen.written);
    // One line is left of it, and none of the living one.
    let left = seen.lines("");
    assert!(
        left[0].starts_with(&format!("{line}, ")) && left[0].ends_with(" s"),
        "{left:#?}"
    );
    assert!(left[1].contains("was not healthy"), "{left:#?}");
    assert_eq!(seen.lines("probe-health: waiting").len(), 1, "{left:#?}");
    assert!(
        left.iter()
            .all(|line| !line.starts_with(['-', '\\', '|', '/'])),
        "{left:#?}"
    );
}

#[test]
fn lines_are_plain_where_stderr_is_no_terminal_or_a_dumb_one() {
    let (command, line) = nobody_there(&["--within", "2s"]);
    let plain = runs::finish(command).stderr;
    assert_eq!(plain.lines().next(), Some(&*line), "{plain}");
    assert!(!plain.contains(['\r', '\u{1b}']), "{plain:?}");
    let (command, line) = nobody_there(&["--within", "2s"]);
    let dumb = watched(command, "dumb").written;
    assert_eq!(dumb.lines().next(), Some(&*line), "{dumb}");
    assert!(!dumb.contains('\u{1b}'), "{dumb:?}");
    let (command, _) = nobody_there(&["--within", "11s"]);
    let long = runs::finish(command).stderr;
    assert!(long.contains(" s so far: connection refused"), "{long}");
}

#[test]
fn a_quiet_step_draws_nothing_on_a_terminal_either() {
    let (command, line) = nobody_there(&["--quiet", "--within", "2s"]);
    let seen = watched(command, "xterm");
    assert_eq!(seen.code, 30);
    assert_eq!(seen.lines("").len(), 2, "{}", seen.screen);
    let drawn = seen.written.contains('\u{1b}') || seen.written.contains(&line);
    assert!(!drawn, "{:?}", seen.written);
}

#[test]
fn the_pause_before_another_pull_and_every_wait_of_a_promotion_are_shown() {
    let app = App::new("watched");
    let mut pull = app.command("pull-image", &["--attempts", "2"]);
    pull.arg(format!("127.0.0.1:{}/web:v1", app.port));
    let seen = watched(pull, "xterm");
    assert_eq!(seen.code, 12, "{}", seen.screen);
    assert!(
        seen.written
            .contains(" s  pull-image: trying again in 1s: "),
        "{:?}",
        seen.written
    );

    let (v1, v2) = (app.build("v1"), app.build("v2"));
    app.deploy(&v1, &[]);
    app.candidate(&v2, &[]);
    let seen = watched(app.command("promote", &["--settle", "2s"]), "xterm");
    assert_eq!(seen.code, 0, "{}", seen.screen);
    assert_eq!(seen.report()["ok"], true);
    assert!(
        seen.written
            .contains(" s  promote: watching it for 2s: status 200"),
        "{:?}",
        seen.written
    );
    for wait in ["stopping", "starting", "waiting for", "watching it"] {
        let lines = seen.lines(&format!("promote: {wait}"));
        assert!(
            lines.len() == 1 && lines[0].ends_with(" s"),
            "{wait}: {}",
            seen.screen
        );
    }
    app.assert_live(&v2);
    ok(&app.step("prune-app", &[]));
}
