//! `cargo xtask test`: builds here, where there is a network, and runs the tests where there is an engine.

mod sample;
mod vm;

use std::ffi::OsString;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, thread};

use rustix::process::geteuid;
use stage::ground::{self, Machine, Need, Wanted};
use stage::{actionlint, cargo, effort, skipped, unpacked};
use xshell::{Shell, cmd};

use crate::{exit, flags};

/// Pages are looked at in a real browser, deployments come over a real ssh, clocks are set, and what CI runners are
/// given is run and checked.
const BESIDES: [Need; 10] = [
    ("chromium", "chromium"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("sudo", "sudo"),
    ("shellcheck", "shellcheck"),
    ("faketime", "faketime"),
    ("jq", "jq"),
    ("curl", "curl"),
    ("node", "nodejs"),
    ("man", "man-db"),
];

/// What tests start where they need systemd.
const MACHINE: &str = "debian@13";

/// What is fetched before the tests start, where there is a network.
const FETCHES: Need = ("npm", "npm");

/// Only unpacked into the target folder: installed, they would start.
const PROXIES: [&str; 2] = ["nginx", "haproxy"];

/// How many tests run at a time, for the test harness.
const THREADS: &str = "RUST_TEST_THREADS";
/// Tests wait more than they work: with one at a time for each core, half of two cores was idle. What `--all` repeats
/// counts requests that are lost, and has a machine that is less busy.
const THREADS_OF_A_CORE: usize = 2;

/// What a whole run repeats, and how long it takes: by default, with `--all`, and with all there is.
const RUNS: [(&str, &str); 3] = [
    ("a sample", "about 10 minutes"),
    ("what a contributor repeats", "about 40 minutes"),
    ("every case", "hours"),
];

impl flags::Test {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<ExitCode> {
        if let Some(name) = &self.vm {
            return vm::run(name, &self.args, self.install);
        }
        // First, as it is the quickest to fail.
        let wanted = self.other.wanted()?;
        let wanted = wanted.as_ref();
        let (what, time) = if self.all { RUNS[1] } else { effort::of(RUNS) };
        writeln!(
            io::stderr(),
            "test: of what tests repeat, this run repeats {what}; a whole run takes {time} on two quiet cores"
        )?;
        let built = provide(sh, wanted, self.install)?;
        if built != ExitCode::SUCCESS {
            return Ok(built);
        }
        let skipped = cargo::target_dir()?.join("skipped-tests");
        let _ = fs::remove_file(&skipped);
        let mut args = self.args;
        // Who names tests wants those.
        let usual = Some(sample::USUAL).filter(|_| args.is_empty() && !self.all);
        if let Some(stride) = self.sample.map(NonZero::get).or(usual) {
            let words = sample::words(sh, stride)?.into_iter().map(OsString::from);
            let has_end = args.iter().any(|it| it == "--");
            args.extend((!has_end).then(|| "--".into()).into_iter().chain(words));
        }
        let command = command(&skipped, self.all, args);
        let ended = ground::run_on(wanted, &command, self.install)?;
        say_skipped(&skipped)?;
        Ok(exit::of(ended))
    }
}

/// What tests take, here or on what is `wanted`: programs, a machine, and what is built.
fn provide(sh: &Shell, wanted: Option<&Wanted>, install: bool) -> anyhow::Result<ExitCode> {
    // A machine has all of it already.
    let on_machine = matches!(wanted, Some(Wanted::Machine(_)));
    let besides = BESIDES.iter().filter(|_| !on_machine);
    let mut needs: Vec<Need> = besides.copied().chain([FETCHES]).collect();
    // Tests start machines of their own, where there is no network to make one by.
    let machine = Machine::named(MACHINE)?;
    let makes_machine = install && !on_machine && geteuid().is_root();
    if makes_machine {
        needs.extend(machine.needs()?);
    }
    ground::prepare_with(install, &needs, wanted)?;
    if makes_machine {
        machine.make()?;
    }
    let built = exit::of_all([
        cmd!(sh, "cargo build --workspace --bins"),
        cmd!(sh, "cargo test --workspace --no-run"),
    ])?;
    if built != ExitCode::SUCCESS {
        return Ok(built);
    }
    cargo::demo_app()?;
    cargo::static_steps()?;
    cargo::steps_with_pages()?;
    actionlint::provide()?;
    if install && !on_machine {
        unpacked::provide(&PROXIES)?;
    }
    Ok(built)
}

/// The tests themselves; those that cannot run there are counted in the file `skipped`.
fn command(skipped: &Path, all: bool, args: Vec<OsString>) -> Vec<OsString> {
    let mut counted = OsString::from(format!("{}=", skipped::FILE));
    counted.push(skipped);
    let mut test: Vec<OsString> = vec!["env".into()];
    test.extend(cargo::told_of_its_package().flat_map(|name| ["-u".into(), name]));
    test.push(counted);
    if !all && env::var_os(THREADS).is_none() {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        test.push(format!("{THREADS}={}", THREADS_OF_A_CORE * cores).into());
    }
    test.extend(all.then(|| format!("{}={}", effort::EFFORT, effort::ALL).into()));
    // A backtrace tells nothing more: what failed is in the assertion. One failure is no reason to be told of no other.
    let words = [
        "RUST_BACKTRACE=0",
        "cargo",
        "test",
        "--no-fail-fast",
        "--offline",
    ];
    test.extend(words.map(OsString::from));
    // Not `--workspace`, which would overrule a `-p`: from its root cargo takes all of it anyway.
    test.push("--manifest-path".into());
    test.push(cargo::workspace().join("Cargo.toml").into());
    test.extend(args);
    test
}

/// What did not run is said last, where nobody overlooks it.
fn say_skipped(file: &Path) -> anyhow::Result<()> {
    let lines = skipped::all(file)?;
    let mut stderr = io::stderr().lock();
    for line in &lines {
        writeln!(stderr, "{line}")?;
    }
    writeln!(
        stderr,
        "{} tests could not run here, or not to their end",
        lines.len()
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_says_how_long_runs_take_as_their_first_line_does() {
        let xtask = flags::Xtask::command();
        let help = xtask
            .find_subcommand("test")
            .and_then(|it| it.get_long_about());
        let help = help.unwrap().to_string();
        assert!(
            RUNS[..2].iter().all(|(_, time)| help.contains(time)),
            "{help}"
        );
    }
}
