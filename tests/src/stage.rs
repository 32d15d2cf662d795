//! Runs a command where an engine answers: right here, or on a private stage that leaves nothing behind.
//!
//! The private stage is a pid, network and mount namespace with an engine of its own. All of it (engine,
//! containers, registries, rules, mounts) dies with the first process in it, however that one ends.

mod engine;
mod folder;
mod inner;
mod needs;
mod root;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
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
pub use engine::{ENGINE, Engine};
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
    /// None does, or another one is wanted: a private one will be started.
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
    prepare_with(install, &[], None)
}

/// As [`prepare`], with more programs besides the stage's own, and for a private stage with this `engine`.
pub fn prepare_with(
    install: bool,
    also: &[Need],
    engine: Option<&Engine>,
) -> anyhow::Result<Ground> {
    if inside() && engine.is_none() {
        return Ok(Ground::Here);
    }
    let ground = if engine.is_none() && engine_answers() {
        Ground::Here
    } else {
        Ground::Private
    };
    if ground == Ground::Private && !geteuid().is_root() {
        bail!(match engine {
            Some(_) => "only root can start a private engine: run this as root",
            None =>
                "no Docker engine answers and only root can start a private one: start Docker, or run this as root",
        });
    }
    let own = engine.map(Engine::need).transpose()?.flatten();
    let also: Vec<Need> = also.iter().copied().chain(own).collect();
    needs::provide(ground, install, &also)?;
    Ok(ground)
}

/// Runs `argv` where an engine answers and returns its exit code (128 + n when signal n ended it or us).
pub fn run(argv: &[OsString], install: bool) -> anyhow::Result<i32> {
    run_on(None, argv, install)
}

/// As [`run`], on a private stage with this `engine` if there is one to be.
pub fn run_on(engine: Option<&Engine>, argv: &[OsString], install: bool) -> anyhow::Result<i32> {
    match prepare_with(install, &[], engine)? {
        Ground::Here => plain(argv),
        Ground::Private => private(argv, engine),
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

fn private(argv: &[OsString], engine: Option<&Engine>) -> anyhow::Result<i32> {
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
        engine.provide(&dir.join("bin"))?;
        let flags = engine.flags().iter();
        stage.args(flags.map(|flag| format!("--engine-flag={flag}")));
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
fn sealed(besides: &[&str]) -> Command {
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
