//! What everything is measured with.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use stage::docker::Scope;
use stage::process::run_within;
use stage::registry::Registry;
use stage::{cargo, unpacked};
use xshell::Shell;

use crate::numbers;

/// How long any command may take.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

pub(super) struct Lab<'a> {
    pub(super) sh: &'a Shell,
    pub(super) registry: &'a Registry,
    /// How often what is compared is measured.
    pub(super) rounds: u32,
}

/// Whether this machine has a program that `what` takes; the reason against it goes to `left_out`.
pub(super) fn has(program: &str, what: &str, left_out: &mut Vec<String>) -> bool {
    let has = unpacked::command(program).is_some();
    left_out.extend((!has).then(|| format!("{program}, and so {what} (--install unpacks it)")));
    has
}

/// A step as it is released, for one app.
pub(super) fn step(name: &str, scope: &Scope, words: &[&str]) -> anyhow::Result<Command> {
    let mut step = Command::new(cargo::released_steps()?.join(name));
    step.args(["--quiet", "--app", scope.app()]).args(words);
    Ok(step)
}

/// Runs a command to its good end and returns what it said.
pub(super) fn done(command: &mut Command) -> anyhow::Result<String> {
    let run = run_within(command, None, LIMIT)?;
    let (name, said) = (command.get_program().display(), run.stderr.trim());
    ensure!(
        run.code == 0,
        "`{name}` failed with {}: {}{said}",
        run.code,
        run.stdout
    );
    Ok(run.stdout)
}

/// An address of this machine at which nothing listens.
pub(super) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The one in the middle, in milliseconds.
pub(super) fn median(times: &[Duration]) -> f64 {
    let times = times.iter().map(|it| it.as_secs_f64() * 1000.0);
    numbers::median(times).unwrap_or_default()
}
