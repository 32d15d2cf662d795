//! All subcommands and their flags, each documented once: the doc comments are the help.

mod engines;
mod pipelines;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use engines::{Stage, StageInner, Test};
pub(crate) use pipelines::{Deploy, Pipeline, Rollback};

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
    Deploy(Box<Deploy>),
    Rollback(Box<Rollback>),
    Demo(Demo),
    Bench(Bench),
    Report(Report),
    Lint(Lint),
    Test(Test),
    Dist(Dist),
    Doctor(Doctor),
    Stage(Stage),
    #[command(hide = true)]
    StageInner(StageInner),
}

/// See it work: a registry, an app under load, good and bad releases, a rollback; all removed at the end.
///
/// Uses your engine if one answers, else (as root) a private one. Takes less than two minutes once built,
/// and leaves a picture of what the clients saw, target/demo.html.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Install missing programs with apt-get first (docker.io, docker-registry, nftables and the like); waits while
    /// somebody else works with packages, ten minutes at most.
    #[arg(long)]
    pub(crate) install: bool,
}

/// Measure what a release costs the clients: the plain shell way, docker-compose and the steps, side by side.
///
/// Every way replaces the same three apps under the same load, 300 new connections a second to the
/// published port. Then what a deployment costs beside that. Prints tables. Uses your engine if one answers, else
/// (as root) a private one. All of it takes about 40 minutes; `--part` chooses.
/// Example: cargo xtask bench --install --page bench.html --json bench.json
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Install missing programs first; nginx, haproxy and wrk are only unpacked into the target folder.
    #[arg(long)]
    pub(crate) install: bool,
    /// How often every way replaces every app.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,
    /// One run of each, and three of what is compared in turn.
    #[arg(long, conflicts_with = "runs")]
    pub(crate) quick: bool,
    /// Measure only this; can be given again.
    #[arg(long, value_enum)]
    pub(crate) part: Vec<Part>,
    /// Write all that was measured to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the picture of it to this file, one HTML page.
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    /// Measure nothing: show what an earlier run wrote with --json.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
}

/// What a bench measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What clients see of a release, by four ways.
    Swaps,
    /// What a proxy in front costs.
    Proxies,
    /// How long a deployment takes, beside the plain way and the engine's own work.
    Time,
    /// What waiting loses, after a boot and after a crash.
    Waits,
    /// The programs' sizes and how fast they start.
    Programs,
    /// The steps on an engine with 500 containers and 2,000 images.
    Scale,
    /// A release while the port is as busy as the machine allows.
    Pressure,
    /// The same pipeline on one VM and on a swarm of up to three nodes, as root.
    Swarm,
}

/// Draw what deployments were like: one HTML page from the reports that were collected.
///
/// Reads lines of JSON: reports of steps, of `cargo xtask deploy` and `rollback`, and deploy.sh's history. The page
/// has a timeline of the releases, durations by step, gaps, and the failures with their evidence.
/// Example: cargo xtask report --page web.html /var/log/deploy-steps/web.jsonl
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Files with a report on each line; `-` is stdin. What is no report is counted and left out.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where the page is written to.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub(crate) page: PathBuf,
}

/// Check formatting, clippy and the documentation; any warning is a failure.
#[derive(Debug, Args)]
pub(crate) struct Lint {}

/// Make what one installs on a VM: static programs, man pages and completions, as a Debian package and a tarball.
///
/// Also the licences of all that is linked in, a bill of materials for each program, and checksums; all in
/// target/dist. From the same commit, compiler and C library the same bytes come out, wherever it runs.
/// Example: cargo xtask dist --install
#[derive(Debug, Args)]
pub(crate) struct Dist {
    /// Build the cargo subcommands that are missing first, below the target folder, and have rustup add musl.
    #[arg(long)]
    pub(crate) install: bool,
    /// Make it a second time, in a clone of the last commit in another folder, and fail unless all bytes are the same.
    #[arg(long, conflicts_with_all = ["programs", "draft"])]
    pub(crate) twice: bool,
    /// Only build the programs, and print their folder.
    #[arg(long, conflicts_with = "draft")]
    pub(crate) programs: bool,
    /// Only lay the files out in this new folder, with the debug builds of the programs: quick, to look at.
    #[arg(long, value_name = "FOLDER", conflicts_with = "target")]
    pub(crate) draft: Option<PathBuf>,
    /// What to build for, instead of this machine with musl where the toolchain has it. For another architecture, such
    /// as aarch64-unknown-linux-gnu, `rustup target add` it before, and install its C cross-compiler (Debian's
    /// gcc-aarch64-linux-gnu), which CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER and
    /// CC_aarch64_unknown_linux_gnu name. Its programs are built and packed, and not tried.
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<String>,
}

/// Look whether this machine has what the steps need; changes nothing.
///
/// Runs xtask/vm/doctor.sh, which is for machines without cargo. One line for each check, or one JSON line;
/// ends with 1 if a step would fail.
/// Example: cargo xtask doctor --image ghcr.io/acme/web:v2 --port 80
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// One JSON line instead.
    #[arg(long)]
    pub(crate) json: bool,
    /// The engine's command line tool [default: docker].
    #[arg(long, value_name = "PATH")]
    pub(crate) docker: Option<String>,
    /// Ask this image's registry for it, with this user's login.
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// Look who has this host port; may be repeated.
    #[arg(long)]
    pub(crate) port: Vec<String>,
}
