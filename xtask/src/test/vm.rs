//! `cargo xtask test --vm`: the tests that boot a real machine in qemu, one after the other.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};
use rustix::process::geteuid;
use stage::cargo;
use stage::ground::{self, Machine, VM};
use stage::process::{code_of, scrub};

use crate::exit;

/// The topic of those tests, which no other run has. A machine takes all cores, so there is one at a time.
const WORDS: [&str; 9] = [
    "test",
    "-p",
    "tests",
    "--test",
    "it",
    "--",
    "--ignored",
    "--nocapture",
    "--test-threads=1",
];
const TOPIC: &str = "qemu::";

/// Runs those that `names` are parts of, or all of them.
pub(super) fn run(machine: &str, names: &[OsString], install: bool) -> anyhow::Result<ExitCode> {
    ensure!(
        geteuid().is_root(),
        "only root can make the disk of a machine: run this as root"
    );
    ground::provide(install, &ground::vm_needs(&Machine::named(machine)?)?)?;
    // First, so that no test waits for it with a machine that runs.
    cargo::demo_app()?;
    cargo::static_steps()?;
    let mut test = Command::new("cargo");
    test.args(WORDS).current_dir(cargo::workspace());
    if names.is_empty() {
        test.arg(TOPIC);
    }
    for name in names {
        let mut test_name = OsString::from(TOPIC);
        test_name.push(name);
        test.arg(test_name);
    }
    let status = scrub(cargo::untold(&mut test))
        .env(VM, machine)
        .env("RUST_BACKTRACE", "0")
        .status()
        .context("`cargo` could not be started")?;
    Ok(exit::of(code_of(status)))
}
