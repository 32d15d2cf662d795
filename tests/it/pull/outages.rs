//! Registries that are gone, stall, break off or answer with errors, and that come back.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use stage::docker::Scope;
use stage::fault::{Fault, Proxy};
use stage::ground::on_podman;
use stage::image::Image;
use stage::process::code_of;
use stage::registry;
use stage::steps::{self, Run};

use super::{Pushed, pull, push};
use crate::runs::has_image;
use crate::support::{failed, free_port, ok};

/// An image of 2 MiB in the shared registry, and a proxy in front of it that works so far.
pub(super) fn behind_proxy(scope: &Scope) -> (Proxy, Pushed) {
    let proxy = Proxy::in_front_of(registry::shared().unwrap().host(), Fault::None).unwrap();
    let name = format!("{}/{}:v1", proxy.host(), scope.app());
    let pushed = push(&Image::of(scope.app()).padding_mb(2), &name);
    (proxy, pushed)
}

pub(super) fn retries(run: &Run) -> usize {
    run.stderr.matches("trying again in").count()
}

/// A step under way, whose stderr is read line by line.
pub(super) struct Running {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Running {
    pub(super) fn start(mut command: Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.stdin(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            stderr,
            said: String::new(),
        }
    }

    fn until(&mut self, words: &str) {
        while !self.said.contains(words) {
            let read = self.stderr.read_line(&mut self.said).unwrap();
            assert!(read > 0, "it ended without `{words}`: {}", self.said);
        }
    }

    pub(super) fn end(mut self) -> Run {
        let mut stdout = String::new();
        self.stderr.read_to_string(&mut self.said).unwrap();
        let mut pipe = self.child.stdout.take().unwrap();
        pipe.read_to_string(&mut stdout).unwrap();
        Run {
            code: code_of(self.child.wait().unwrap()),
            stdout,
            stderr: self.said,
        }
    }
}

#[test]
fn a_registry_that_is_gone_is_12_after_growing_pauses() {
    let name = format!("127.0.0.1:{}/web:v1", free_port());
    let started = Instant::now();
    let once = pull(&[&name, "--attempts", "1"]);
    failed(&once, 12, "registry_unreachable");
    assert_eq!(retries(&once), 0);
    let one = started.elapsed();

    let started = Instant::now();
    let thrice = pull(&[&name]);
    let report = failed(&thrice, 12, "registry_unreachable");
    assert_eq!(report["image"], name.as_str());
    assert_eq!(retries(&thrice), 2);
    assert!(thrice.stderr.contains("in 1s") && thrice.stderr.contains("in 2s"));
    assert!(started.elapsed() >= Duration::from_secs(3), "{one:?}");
    assert!(!has_image(&name));
}

#[test]
fn no_pause_reaches_beyond_the_timeout() {
    let name = format!("127.0.0.1:{}/web:v1", free_port());
    let run = pull(&[&name, "--attempts", "100", "--timeout", "4s"]);
    failed(&run, 12, "registry_unreachable");
    // Podman itself tries for longer than that.
    let least = if on_podman() { 0 } else { 1 };
    assert!((least..=2).contains(&retries(&run)), "{run:?}");
}

#[test]
fn a_registry_that_stalls_is_12_when_the_time_is_over() {
    for fault in [Fault::Silent, Fault::StallAfter(100_000)] {
        let scope = Scope::new("stall");
        let (proxy, pushed) = behind_proxy(&scope);
        proxy.set(fault);
        let before = proxy.connections();
        let started = Instant::now();
        let run = pull(&[&pushed.name, "--timeout", "3s"]);
        let took = started.elapsed();
        let report = failed(&run, 12, "registry_unreachable");
        assert_eq!(report["image"], pushed.name.as_str());
        assert!(report["error"]["message"].as_str().unwrap().contains("3s"));
        assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(30));
        assert!(proxy.connections() > before);
        assert!(!has_image(&pushed.name));

        proxy.set(Fault::None);
        assert_eq!(ok(&pull(&[&pushed.name]))["image_id"], pushed.id.as_str());
    }
}

#[test]
fn a_registry_that_breaks_off_or_fails_is_tried_again_and_then_12() {
    let faults = [
        Fault::Reset,
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(502),
        Fault::Status(503),
        Fault::Status(504),
    ];
    let scope = Scope::new("sick");
    let (proxy, pushed) = behind_proxy(&scope);
    for fault in faults {
        proxy.set(fault);
        let run = pull(&[&pushed.name, "--attempts", "2"]);
        failed(&run, 12, "registry_unreachable");
        assert_eq!(retries(&run), 1, "{fault:?}: {run:?}");
        assert!(!has_image(&pushed.name));
    }
}

#[test]
fn a_registry_that_comes_back_between_two_tries_is_used() {
    for fault in [Fault::Reset, Fault::Status(503)] {
        let scope = Scope::new("back");
        let (proxy, pushed) = behind_proxy(&scope);
        proxy.set(fault);
        let mut command = steps::step("pull-image").unwrap();
        command.arg(&pushed.name);
        let mut running = Running::start(command);
        running.until("trying again in");
        proxy.set(Fault::None);
        let report = ok(&running.end());
        assert_eq!(report["attempts"], 2);
        assert_eq!(report["changed"], true);
        assert_eq!(report["image_id"], pushed.id.as_str());
    }
}

fn interrupted_by(signal: Signal) {
    let scope = Scope::new("term");
    let (proxy, pushed) = behind_proxy(&scope);
    proxy.set(Fault::StallAfter(100_000));
    let before = proxy.connections();
    let mut command = steps::step("pull-image").unwrap();
    command.arg(&pushed.name);
    let mut running = Running::start(command);
    running.until("pulling");
    while proxy.connections() == before {
        thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&running.child), signal).unwrap();
    let told = Instant::now();
    let run = running.end();
    assert!(told.elapsed() < Duration::from_secs(10));
    let report = failed(&run, 7, "interrupted");
    assert_eq!(report["image"], pushed.name.as_str());
    assert!(!has_image(&pushed.name));

    proxy.set(Fault::None);
    assert_eq!(ok(&pull(&[&pushed.name]))["image_id"], pushed.id.as_str());
}

#[test]
fn a_stalled_pull_is_given_up_at_once_on_sigterm_and_ctrl_c() {
    interrupted_by(Signal::TERM);
    interrupted_by(Signal::INT);
}

#[test]
fn a_pause_between_two_tries_is_given_up_on_sigterm() {
    let mut command = steps::step("pull-image").unwrap();
    let name = format!("127.0.0.1:{}/web:v1", free_port());
    command.args([&name, "--attempts", "100"]);
    let mut running = Running::start(command);
    running.until("trying again in 8s");
    kill_process(Pid::from_child(&running.child), Signal::TERM).unwrap();
    let told = Instant::now();
    failed(&running.end(), 7, "interrupted");
    assert!(told.elapsed() < Duration::from_secs(7));
}

#[test]
fn a_lost_terminal_does_not_end_a_pull() {
    let scope = Scope::new("hup");
    let (proxy, pushed) = behind_proxy(&scope);
    proxy.set(Fault::Reset);
    let mut command = steps::step("pull-image").unwrap();
    command.arg(&pushed.name);
    let mut running = Running::start(command);
    running.until("trying again in");
    kill_process(Pid::from_child(&running.child), Signal::HUP).unwrap();
    proxy.set(Fault::None);
    assert_eq!(ok(&running.end())["image_id"], pushed.id.as_str());
}
