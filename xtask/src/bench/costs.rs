//! What a deployment costs beside what clients see: its time, its waiting, its programs, a full engine, a busy port.

mod floor;
mod pressure;
mod programs;
mod scale;
mod swarm;
mod time;
mod waits;

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use tests::cargo;
use tests::docker::Scope;
use tests::process::{Run, run_within};
use tests::registry::Registry;
use xshell::Shell;

use super::Part;
use crate::table::Table;

pub(super) use floor::Socket;

const LIMIT: Duration = Duration::from_secs(90);

/// What all parts are measured with.
pub(super) struct Lab<'a> {
    pub(super) sh: &'a Shell,
    pub(super) registry: &'a Registry,
    /// How often what is compared is measured.
    pub(super) rounds: u32,
}

impl Lab<'_> {
    /// One part; none for those that are about clients.
    pub(super) fn measure(
        &self,
        part: Part,
        left_out: &mut Vec<String>,
    ) -> anyhow::Result<Option<Table>> {
        match part {
            Part::Time => time::measure(self).map(Some),
            Part::Waits => waits::measure(self).map(Some),
            Part::Programs => programs::measure(self).map(Some),
            Part::Scale => scale::measure(self).map(Some),
            Part::Pressure => pressure::measure(self, left_out),
            Part::Swarm => swarm::measure(self, left_out),
            Part::Swaps | Part::Proxies => Ok(None),
        }
    }
}

/// A step as it is released, for one app.
fn step(name: &str, scope: &Scope, words: &[&str]) -> anyhow::Result<Command> {
    let mut step = Command::new(cargo::released_steps()?.join(name));
    step.args(["--quiet", "--app", scope.app()]).args(words);
    Ok(step)
}

/// Runs it to its end, whatever that is.
fn run(name: &str, scope: &Scope, words: &[&str]) -> anyhow::Result<Run> {
    run_within(&mut step(name, scope, words)?, None, LIMIT)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The one in the middle, in milliseconds.
fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64() * 1000.0
}

fn texts<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}
