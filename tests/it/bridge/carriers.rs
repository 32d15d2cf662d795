//! Requests that something carries to the app, and that are still with the carrier when a container is to end.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::connections::answer;
use super::{has_proxy, lacks_bridge};
use crate::support::{App, eventually, text};

/// A process that is frozen until dropped.
struct Frozen(Pid);

impl Frozen {
    /// The one whose command line has all of these words.
    fn find(words: &[&str]) -> Option<Frozen> {
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_it = |pid: &i32| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line: Vec<&str> = line.split('\0').collect();
            // Rootless Docker's proxy has a keeper with the same words, which carries nothing.
            words.iter().all(|word| line.contains(word)) && !line[0].contains("rootlesskit")
        };
        let pid = Pid::from_raw(pids.into_iter().find(is_it)?)?;
        kill_process(pid, Signal::STOP).ok()?;
        Some(Frozen(pid))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// A request that has left, and whose answer nobody has yet.
struct Asked(TcpStream);

impl Asked {
    fn of(app: &App) -> Asked {
        let stream = TcpStream::connect(app.addr()).unwrap();
        write!(&stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        Asked(stream)
    }

    fn answer(self) -> String {
        answer(&mut BufReader::new(&self.0)).unwrap()
    }
}

/// Promotes `v2` over `v1` while `carrier` is frozen with a request in hand: once `begun`, until
/// `passed`, and then a little. Returns the answer.
fn swap(
    app: &App,
    carrier: &[&str],
    begun: impl Fn() -> bool,
    passed: impl Fn() -> bool,
) -> String {
    app.candidate(&app.build("v2"), &[]);
    let mut promote = app.command("promote", &[]);
    let promote = promote.stdout(Stdio::piped()).stderr(Stdio::piped());
    let promote = promote.spawn().unwrap();
    eventually("it has begun", begun);
    let frozen = Frozen::find(carrier).expect("nothing carries");
    let asked = Asked::of(app);
    eventually("it could end the container", passed);
    thread::sleep(Duration::from_millis(500));
    drop(frozen);
    let ended = promote.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    asked.answer()
}

#[test]
fn a_request_that_the_engines_proxy_has_not_passed_on_is_answered() {
    let app = App::new("proxied");
    app.deploy(&app.build("v1"), &[]);
    let port = app.port.to_string();
    let proxy = ["-host-port", &port];
    if !has_proxy() {
        assert!(Frozen::find(&proxy).is_none());
        return;
    }
    let renamed = || app.container("-old").is_some();
    assert_eq!(swap(&app, &proxy, || true, renamed), "v1");
}

#[test]
fn a_request_that_the_forwarder_has_not_passed_on_is_answered() {
    if lacks_bridge() {
        return;
    }
    let app = App::new("forwarded");
    app.deploy(&app.build("v1"), &[]);
    let old = app.id("");
    let renamed = || app.container("-old").is_some();
    let replaced = || app.container("").is_some_and(|it| text(&it["Id"]) != old);
    let forwarder = ["__forward", app.name()];
    assert_eq!(swap(&app, &forwarder, renamed, replaced), "v2");
}
