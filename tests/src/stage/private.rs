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
    let signal = Arc::new(AtomicUsize::new(0));
    for one in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_usize(one, Arc::clone(&signal), one as usize)?;
    }
    folder::sweep();
    let folder = Folder::create()?;
    let started = start(argv, engine, folder.path());
    let code = started.and_then(|mut child| watch(&mut child, &signal));
    folder.remove()?;
    code
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

fn watch(child: &mut Child, signal: &AtomicUsize) -> anyhow::Result<i32> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(code_of(status));
        }
        let caught = signal.load(Ordering::Relaxed);
        if caught != 0 {
            end(child)?;
            return Ok(128 + i32::try_from(caught)?);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

// Killing the namespace's first process rather than its parent: the parent then ends when all others have.
fn end(child: &mut Child) -> anyhow::Result<()> {
    let pid = child.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let first = children.unwrap_or_default();
    match first.trim().parse().ok().and_then(Pid::from_raw) {
        Some(first) => kill_process(first, Signal::KILL)?,
        None => child.kill()?,
    }
    child.wait()?;
    Ok(())
}
