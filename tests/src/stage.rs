//! Runs a command where an engine answers: right here, or on a private stage that leaves nothing behind.
//!
//! The private stage is a pid, network and mount namespace with an engine of its own. All of it (engine,
//! containers, registries, rules, mounts) dies with the first process in it, however that one ends.

mod folder;
mod inner;
mod needs;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::cargo;
use crate::process::{code_of, run_within, scrub};
use folder::Folder;
pub use inner::inner;
pub use needs::{Need, find};

/// The variable that holds the stage's folder, for everything that runs inside one.
pub const STAGE: &str = "DEPLOY_STEPS_STAGE";

/// The subcommand by which the program that called [`run`] must reach [`inner`]: `stage-inner DIR -- COMMAND…`.
pub const INNER: &str = "stage-inner";

/// Where a command is going to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// An engine answers already.
    Here,
    /// None does: a private one will be started.
    Private,
}

/// Whether this process runs inside a private stage.
pub fn inside() -> bool {
    env::var_os(STAGE).is_some()
}

/// Finds out where a command would run, and sees to the programs that this takes.
///
/// With `install`, missing ones are installed by apt-get; without it they are an error that names them.
pub fn prepare(install: bool) -> anyhow::Result<Ground> {
    prepare_with(install, &[])
}

/// As [`prepare`], with more programs besides the stage's own.
pub fn prepare_with(install: bool, also: &[Need]) -> anyhow::Result<Ground> {
    if inside() {
        return Ok(Ground::Here);
    }
    let ground = if engine_answers() {
        Ground::Here
    } else {
        Ground::Private
    };
    if ground == Ground::Private && !geteuid().is_root() {
        bail!(
            "no Docker engine answers and only root can start a private one: start Docker, or run this as root"
        );
    }
    needs::provide(ground, install, also)?;
    Ok(ground)
}

/// Runs `argv` where an engine answers and returns its exit code (128 + n when signal n ended it or us).
pub fn run(argv: &[OsString], install: bool) -> anyhow::Result<i32> {
    match prepare(install)? {
        Ground::Here => plain(argv),
        Ground::Private => private(argv),
    }
}

fn engine_answers() -> bool {
    let mut ask = Command::new("docker");
    ask.args(["version", "--format", "{{.Server.Version}}"]);
    run_within(&mut ask, None, Duration::from_secs(10)).is_ok_and(|run| run.code == 0)
}

fn plain(argv: &[OsString]) -> anyhow::Result<i32> {
    let status = scrub(&mut command(argv)?)
        .env("PATH", needs::path())
        .status()
        .with_context(|| format!("{} could not be started", argv[0].display()))?;
    Ok(code_of(status))
}

fn command(argv: &[OsString]) -> anyhow::Result<Command> {
    let [program, args @ ..] = argv else {
        bail!("no command to run: name one after --")
    };
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}

fn private(argv: &[OsString]) -> anyhow::Result<i32> {
    let signal = Arc::new(AtomicUsize::new(0));
    for one in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_usize(one, Arc::clone(&signal), one as usize)?;
    }
    folder::sweep();
    let folder = Folder::create()?;
    // A copy, as the command may well rebuild the program that is running now.
    let program = folder.path().join("xtask");
    fs::copy("/proc/self/exe", &program).context("this program could not be copied")?;
    let mut child = Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--fork",
            "--pid",
            "--mount-proc",
        ])
        .args(["--net", "--mount", "--kill-child=SIGKILL", "--"])
        // The first process of a pid namespace inherits all orphans, and a shell reaps them.
        .args(["sh", "-c", r#""$@"; exit $?"#, "sh"])
        .arg(program)
        .arg(INNER)
        .arg(folder.path())
        .arg("--")
        .args(argv)
        .env("PATH", needs::path())
        .env(cargo::BIN_DIR, cargo::bin_dir()?)
        .spawn()
        .context("the private stage could not be started")?;
    let code = watch(&mut child, &signal);
    folder.remove()?;
    code
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
