//! The flags of test and stage, which can bring an engine.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use stage::ground::{Cgroup, Engine, Machine, Wanted};

/// Run the tests against a real engine: yours if one answers, else a private one that leaves nothing behind.
///
/// Each kind of thing is tested, and what can be repeated is repeated a little. Tests that are named run all.
/// A run takes about 10 minutes on two quiet cores, and about 40 minutes with `--all`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Install missing programs with apt-get first (docker.io, docker-registry, nftables and the like); waits while
    /// somebody else works with packages, ten minutes at most.
    #[arg(long)]
    pub(crate) install: bool,
    /// Run every test, and repeat what a contributor repeats before a push.
    #[arg(long)]
    pub(crate) all: bool,
    /// Of each file of end-to-end tests, run the first and one of N after it, also of tests that are named [default: 8
    /// where none is named].
    #[arg(long, value_name = "N", conflicts_with_all = ["all", "vm"])]
    pub(crate) sample: Option<NonZero<usize>>,
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
