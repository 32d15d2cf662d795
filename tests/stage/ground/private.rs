//! A private stage from outside: its namespaces, the command in them, and the signals that end both.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::folder::{self, Folder};
use super::{ENGINE, Engine, INNER, needs};
use crate::cargo;
use crate::process::code_of;

/// Runs `argv` on a private stage, with this `engine` or the installed one, and returns its exit code.
pub(super) fn run(argv: &[OsString], engine: Option<&Engine>) -> anyhow::Result<i32> {
    // First, while signals still end this program and with it all that is under way.
    engine.map_or(Ok(()), Engine::make)?;
    in_folder(|dir, signals| {
        let mut child = start(argv, engine, dir)?;
        watch(&mut child, signals)
    })
}

/// Does what is to be done in a stage's folder, which is gone afterwards, while signals are only kept in mind.
pub(super) fn in_folder(
    work: impl FnOnce(&Path, &Signals) -> anyhow::Result<i32>,
) -> anyhow::Result<i32> {
    let signals = Signals::default();
    for one in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_usize(one, Arc::clone(&signals.0), one as usize)?;
    }
    folder::sweep();
    let folder = Folder::create()?;
    let code = work(folder.path(), &signals);
    folder.remove()?;
    code
}

/// The signals that end a stage.
#[derive(Debug, Default)]
pub(super) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// The exit code of who was ended by the last that came.
    pub(super) fn caught(&self) -> Option<i32> {
        let number = i32::try_from(self.0.load(Ordering::Relaxed)).unwrap_or_default();
        (number != 0).then_some(128 + number)
    }
}

fn start(argv: &[OsString], engine: Option<&Engine>, dir: &Path) -> anyhow::Result<Child> {
    // A copy, as the command may well rebuild the program that is running now.
    let program = dir.join("xtask");
    fs::copy("/proc/self/exe", &program).context("this program could not be copied")?;
    let mut path = dir.join("bin").into_os_string();
    path.push(":");
    path.push(needs::path());
    let mut stage = sealed(&["--net"]);
    // The first process of a pid namespace inherits all orphans, and a shell reaps them.
    stage.args(["sh", "-c", r#""$@"; exit $?"#, "sh"]);
    stage.arg(program).arg(INNER).arg(dir);
    if let Some(engine) = engine {
        engine.provide(dir, &dir.join("bin"))?;
        let flags = engine.flags().iter();
        stage.args(flags.map(|flag| format!("--engine-flag={flag}")));
        let cgroup = engine.cgroup();
        stage.args(cgroup.map(|version| format!("--cgroup={version}")));
        stage.env(ENGINE, engine.to_string());
    }
    stage
        .arg("--")
        .args(argv)
        .env("PATH", path)
        .env(cargo::BIN_DIR, cargo::bin_dir()?)
        .spawn()
        .context("the private stage could not be started")
}

/// The start of a command in namespaces of its own: all its processes and mounts end when this program does.
pub(super) fn sealed(besides: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare", "--fork", "--pid"])
        .args(["--mount", "--mount-proc", "--kill-child=SIGKILL"])
        .args(besides)
        .arg("--");
    command
}

/// Waits for the end of this child of ours, or brings it about when a signal comes; returns the exit code.
pub(super) fn watch(child: &mut Child, signals: &Signals) -> anyhow::Result<i32> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(code_of(status));
        }
        if let Some(code) = signals.caught() {
            end(child)?;
            return Ok(code);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends a child that waits for its own first child. That one is killed: its parent then ends when all others have.
pub(super) fn end(child: &mut Child) -> anyhow::Result<()> {
    match first_child(child.id()) {
        Some(first) => kill_process(first, Signal::KILL)?,
        None => child.kill()?,
    }
    child.wait()?;
    Ok(())
}

/// The first child of a process.
pub(super) fn first_child(pid: u32) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Pid::from_raw(children.split(' ').next()?.parse().ok()?)
}
