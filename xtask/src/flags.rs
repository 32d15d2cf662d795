//! All subcommands and their flags, each documented once: the doc comments are the help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Everything one does with this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Xtask {
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// The subcommands, each with a file of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    Lint(Lint),
    Test(Test),
    Stage(Stage),
    #[command(hide = true)]
    StageInner(StageInner),
}

/// Check formatting, clippy and the documentation; any warning is a failure.
#[derive(Debug, Args)]
pub(crate) struct Lint {}

/// Run all tests against a real engine: yours if one answers, else a private one that leaves nothing behind.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Install missing programs with apt-get first (docker.io, docker-registry, nftables and the like).
    #[arg(long)]
    pub(crate) install: bool,
    /// Passed on to `cargo test`, such as `-p step` or the name of a test.
    #[arg(last = true)]
    pub(crate) args: Vec<OsString>,
}

/// Run any command where an engine answers: yours, else a private one (as root) that ends with the command.
///
/// The private engine has its own data, network and processes. All of it ends with the command or with
/// this program, however they end; files that a `kill -9` leaves are removed by the next stage.
/// Example: cargo xtask stage -- docker info
#[derive(Debug, Args)]
pub(crate) struct Stage {
    /// Install missing programs with apt-get first (docker.io, docker-registry, nftables and the like).
    #[arg(long)]
    pub(crate) install: bool,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

/// What `stage` runs inside its namespaces; not to be called by hand.
#[derive(Debug, Args)]
pub(crate) struct StageInner {
    /// The stage's folder.
    pub(crate) dir: PathBuf,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}
