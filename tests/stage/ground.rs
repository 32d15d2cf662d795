//! Runs a command where an engine answers: right here, or on a private stage that leaves nothing behind.
//!
//! The private stage is a pid, network and mount namespace with an engine of its own. All of it (engine,
//! containers, registries, rules, mounts) dies with the first process in it, however that one ends.

mod cgroup;
mod engine;
mod folder;
mod here;
mod inner;
mod machine;
mod needs;
mod podman;
mod private;
mod root;
mod rootless;
mod user;
mod vm;

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::geteuid;

use crate::process::{code_of, run_within, scrub};
pub use cgroup::Cgroup;
pub use engine::Engine;
pub use here::{ENGINE, on_machine, on_podman, on_rootless, on_rootless_docker, registries};
pub use inner::inner;
pub use machine::Machine;
pub use needs::{Need, find, provide};
pub use vm::{VM, Vm, on_vm, patience, vm_needs};

/// The variable that holds the stage's folder, for everything that runs inside one.
pub const STAGE: &str = "DEPLOY_STEPS_STAGE";

/// The subcommand by which the program that called [`run`] must reach [`fn@inner`]: `stage-inner DIR -- COMMAND…`.
pub const INNER: &str = "stage-inner";

/// Where a command is going to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// An engine answers already.
    Here,
    /// None does, or another one is wanted: a private one will be started.
    Private,
}

/// What is to be started even where an engine answers.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// This engine, on a private stage.
    Engine(Engine),
    /// This machine, with the engine of its release.
    Machine(Machine),
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

/// As [`prepare`], with more programs besides the stage's own, and for what is `wanted`.
pub fn prepare_with(
    install: bool,
    also: &[Need],
    wanted: Option<&Wanted>,
) -> anyhow::Result<Ground> {
    if inside() && wanted.is_none() {
        return Ok(Ground::Here);
    }
    let ground = if wanted.is_none() && engine_answers() {
        Ground::Here
    } else {
        Ground::Private
    };
    if ground == Ground::Private && !geteuid().is_root() {
        bail!(match wanted {
            Some(Wanted::Engine(_)) => "only root can start a private engine: run this as root",
            Some(Wanted::Machine(_)) => "only root can start a machine: run this as root",
            None =>
                "no Docker engine answers and only root can start a private one: start Docker, or run this as root",
        });
    }
    let own = match wanted {
        Some(Wanted::Machine(machine)) => machine.needs()?,
        Some(Wanted::Engine(engine)) => [needs::of(ground), engine.needs()?].concat(),
        None => needs::of(ground),
    };
    needs::provide(install, &[&own, also].concat())?;
    Ok(ground)
}

/// Runs `argv` where an engine answers and returns its exit code (128 + n when signal n ended it or us).
pub fn run(argv: &[OsString], install: bool) -> anyhow::Result<i32> {
    run_on(None, argv, install)
}

/// As [`run`], on what is `wanted` if anything is.
pub fn run_on(wanted: Option<&Wanted>, argv: &[OsString], install: bool) -> anyhow::Result<i32> {
    match (prepare_with(install, &[], wanted)?, wanted) {
        (Ground::Here, _) => plain(argv),
        (Ground::Private, None) => private::run(argv, None),
        (Ground::Private, Some(Wanted::Engine(engine))) => private::run(argv, Some(engine)),
        (Ground::Private, Some(Wanted::Machine(machine))) => machine.run(argv),
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
