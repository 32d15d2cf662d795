//! What a deployment costs beside what clients see: its time, its waiting, its programs, a full engine, a busy port.

mod pressure;
mod programs;
mod scale;
mod swarm;
mod time;
mod waits;

use super::lab::Lab;
use crate::flags::Part;
use crate::table::Table;

/// One part; none for those that are about clients.
pub(super) fn measure(
    lab: &Lab<'_>,
    part: Part,
    left_out: &mut Vec<String>,
) -> anyhow::Result<Option<Table>> {
    match part {
        Part::Time => time::measure(lab).map(Some),
        Part::Waits => waits::measure(lab).map(Some),
        Part::Programs => programs::measure(lab).map(Some),
        Part::Scale => scale::measure().map(Some),
        Part::Pressure => pressure::measure(left_out),
        Part::Swarm => swarm::measure(lab, left_out),
        Part::Swaps | Part::Proxies => Ok(None),
    }
}
