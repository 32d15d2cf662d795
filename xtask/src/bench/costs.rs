//! What a deployment costs beside what clients see: its time, its waiting, its programs, a full engine, a busy port.

mod floor;
mod pressure;
mod programs;
mod scale;
mod time;
mod waits;

use std::time::Duration;

use tests::registry::Registry;
use xshell::Shell;

use super::Part;
use crate::table::Table;

pub(super) use floor::Socket;

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
            Part::Swaps | Part::Proxies => Ok(None),
        }
    }
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
