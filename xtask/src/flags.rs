//! All subcommands and their flags, each documented once: the doc comments are the help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use tests::stage::{Cgroup, Engine, Machine, Wanted};

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

/// Put an image live on this machine: pull, start beside the live one, probe, promote, prune.
///
/// Runs the five steps as programs, each with the report of the one before. When one fails the candidate
/// is removed and the live container goes on serving. Prints one JSON line with every step's report, and
/// ends with the exit code of the step that failed. Every flag of every step can be given by --set or --conf.
/// Example: cargo xtask deploy --app web --publish 80:8080 --set 'promote --settle=5s' ghcr.io/acme/web:v2 -- --env-file /etc/web.env
#[derive(Debug, Args, Default)]
#[command(
    override_usage = "cargo xtask deploy --app APP [OPTIONS] IMAGE [-- RUN OPTIONS [-- COMMAND…]]"
)]
pub(crate) struct Deploy {
    /// The image to deploy, as for `docker pull`.
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
    /// Options as for `docker run`, then optionally `--` and the command.
    #[arg(last = true, value_name = "RUN OPTIONS")]
    pub(crate) rest: Vec<String>,
}

/// Put the release live again that the live container replaced, by the same steps.
///
/// Image, run options and ports are those it had. Prints one JSON line with every step's report.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) pipeline: Pipeline,
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
    pub(crate) part: Vec<crate::bench::Part>,
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

/// What deploy and rollback share; each flag is the step's own flag of that name and is checked there.
#[derive(Debug, Args, Default)]
pub(crate) struct Pipeline {
    /// The app, as in its images' label app=APP.
    #[arg(long)]
    pub(crate) app: String,
    /// The live container's name [default: the app].
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// A file of lines `STEP ARGUMENT`, as deploy.sh reads it: /etc/deploy-steps/APP.conf.
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// One more such line, `promote --settle=5s` or `each --swarm`; may be repeated, and wins over the file's.
    #[arg(long, value_name = "LINE")]
    pub(crate) set: Vec<String>,
    /// A port to publish, `[IP:]HOST:CONTAINER`; may be repeated [default: what the live container publishes].
    #[arg(long, short = 'p', value_name = "PORTS")]
    pub(crate) publish: Vec<String>,
    /// Remove a stale candidate of the app first.
    #[arg(long)]
    pub(crate) replace: bool,
    /// The number of this deployment, such as the CI run's: refused (26, 49) when a newer one is live.
    #[arg(long, value_name = "N")]
    pub(crate) deploy_id: Option<String>,
    /// Path of the health request [default: /health].
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// How long a container may take to be healthy [default: candidate 30s, final container 60s].
    #[arg(long, value_name = "TIME")]
    pub(crate) within: Option<String>,
    /// Redirect new connections to the candidate meanwhile: auto, require or off [default: auto].
    #[arg(long, value_name = "MODE")]
    pub(crate) bridge: Option<String>,
    /// How long to wait for requests in flight [default: 10s].
    #[arg(long, value_name = "TIME")]
    pub(crate) drain: Option<String>,
    /// How many old images to keep besides the previous release's [default: 1].
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<String>,
    /// The folder of the step programs [default: built from this workspace].
    #[arg(long, value_name = "DIR")]
    pub(crate) steps: Option<PathBuf>,
    /// No progress on stderr.
    #[arg(long)]
    pub(crate) quiet: bool,
    /// For the demo: the steps' stderr is not shown, and this environment does not steer them.
    #[arg(skip)]
    pub(crate) sealed: bool,
}

/// Check formatting, clippy and the documentation; any warning is a failure.
#[derive(Debug, Args)]
pub(crate) struct Lint {}

/// Run the tests against a real engine: yours if one answers, else a private one that leaves nothing behind.
///
/// Every test runs, but those that repeat something at many moments repeat it at some of them only.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Install missing programs with apt-get first (docker.io, docker-registry, nftables and the like); waits while
    /// somebody else works with packages, ten minutes at most.
    #[arg(long)]
    pub(crate) install: bool,
    /// Repeat at all moments what a contributor repeats before a push.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) other: Other,
    /// Run instead what only a real machine can: this Debian release in qemu, by software emulation (as root).
    ///
    /// Debian's kernel is put above the root folder of `--machine` once; `--install` installs qemu. Deployments under
    /// load, power cuts, reboots, memory limits, AppArmor, IPVS and ufw: it takes about an hour.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["engine", "engine_flag", "cgroup", "machine"],
        value_parser = PossibleValuesParser::new(Machine::names()))]
    pub(crate) vm: Option<String>,
    /// Passed on to `cargo test`, such as `-p step` or the name of a test; with `--vm`, names of its tests.
    #[arg(last = true)]
    pub(crate) args: Vec<OsString>,
}

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

/// Run any command where an engine answers: yours, else a private one (as root) that ends with the command.
///
/// The private engine has its own data, network and processes. All of it ends with the command or with
/// this program, however they end; files that a `kill -9` leaves are removed by the next stage.
/// Example: cargo xtask stage -- docker info
#[derive(Debug, Args)]
pub(crate) struct Stage {
    /// Install missing programs with apt-get first (docker.io, docker-registry, nftables and the like); waits while
    /// somebody else works with packages, ten minutes at most.
    #[arg(long)]
    pub(crate) install: bool,
    #[command(flatten)]
    pub(crate) other: Other,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

/// Another engine than the one that answers, or another machine than this one.
#[derive(Debug, Args)]
pub(crate) struct Other {
    /// Start this engine on a private stage (as root), even where one answers.
    ///
    /// `docker` is the one installed here. The others come from the packages of Debian's releases, each in a
    /// folder below the target folder that debootstrap makes once. With `-rootless` it is run by another user than root.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Engine::names()))]
    pub(crate) engine: Option<String>,
    /// A flag for its dockerd, such as --engine-flag=--userland-proxy=false; may be repeated.
    #[arg(
        long,
        value_name = "FLAG",
        requires = "engine",
        allow_hyphen_values = true
    )]
    pub(crate) engine_flag: Vec<String>,
    /// Start a private stage whose engine sees cgroups of this version: v1 or v2 [default: v2 where the kernel can].
    #[arg(long, value_name = "VERSION")]
    pub(crate) cgroup: Option<Cgroup>,
    /// Boot this Debian release in namespaces (as root): systemd, cgroups of version 2, its own Docker.
    ///
    /// Its root folder is made once below the target folder by debootstrap and apt-get, which takes some five minutes
    /// and 1.8 GB; a boot takes some seconds. The workspace is there under the same name. The machine ends with the
    /// command, and nothing that was written in it stays.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["engine", "engine_flag", "cgroup"],
        value_parser = PossibleValuesParser::new(Machine::names()))]
    pub(crate) machine: Option<String>,
}

impl Other {
    pub(crate) fn wanted(self) -> anyhow::Result<Option<Wanted>> {
        if let Some(name) = self.machine {
            return Ok(Some(Wanted::Machine(Machine::named(&name)?)));
        }
        let installed = self.cgroup.map(|_| "docker".to_owned());
        let Some(name) = self.engine.or(installed) else {
            return Ok(None);
        };
        let engine = Engine::named(&name, self.engine_flag)?;
        Ok(Some(Wanted::Engine(engine.with_cgroup(self.cgroup))))
    }
}

/// What `stage` runs inside its namespaces; not to be called by hand.
#[derive(Debug, Args)]
pub(crate) struct StageInner {
    /// The stage's folder.
    pub(crate) dir: PathBuf,
    /// A flag for the engine.
    #[arg(long)]
    pub(crate) engine_flag: Vec<String>,
    /// The version of cgroups that the engine is to see.
    #[arg(long)]
    pub(crate) cgroup: Option<Cgroup>,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}
