//! Runs the real step programs of this workspace, as a shell script would.

use std::process::Command;
use std::time::Duration;

use crate::ground::patience;
pub use crate::process::Run;
use crate::{cargo, process};

const DEADLINE: Duration = Duration::from_secs(120);

/// The command of a step, such as `promote`, freshly built and free of what this environment happens to set.
pub fn step(name: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(cargo::steps()?.join(name));
    process::scrub(&mut command).env_remove("RUST_BACKTRACE");
    Ok(command)
}

/// Runs a command to its end, with `stdin` as its input; past 120 s it is killed, and that is an error.
pub fn run(mut command: Command, stdin: Option<&str>) -> anyhow::Result<Run> {
    let input = stdin.map(|text| text.as_bytes().to_vec());
    process::run_within(&mut command, input, patience(DEADLINE))
}
