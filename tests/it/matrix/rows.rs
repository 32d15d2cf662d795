//! One step and some faults: as many cases as the step has calls, and the table of what came of them.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use stage::effort;
use stage::ground::on_podman;
use stage::load::Load;
use stage::relay::Relay;

use super::fault::Fault;
use super::lane::Lane;
use super::processes;
use super::state::State;
use super::steps::Step;

/// More calls than any step makes.
const ENOUGH: usize = 80;
/// One case of so many is run: in a sample, among all, and in the full matrix.
const STRIDES: [usize; 3] = [24, 16, 1];
const REQUESTS_PER_S: u32 = 50;

#[derive(Default)]
struct Row {
    cases: usize,
    sent: usize,
    lost: usize,
    failures: Vec<String>,
}

/// Runs the cases, with faults of the CLI, and prints their table; panics where one failed.
pub(super) fn run(step: Step, faults: &[Fault], heir: bool) {
    run_in(Lane::new(step, None, heir), faults);
}

/// The same with faults of the engine's socket.
pub(super) fn run_at_socket(step: Step, faults: &[Fault]) {
    let mut lane = Lane::new(step, Some(Relay::start().unwrap()), step.promotes());
    if on_podman() {
        let (_, asked) = lane.undisturbed();
        assert!(asked.is_empty(), "podman is reached by its CLI: {asked:?}");
        return;
    }
    run_in(lane, faults);
}

fn run_in(mut lane: Lane, faults: &[Fault]) {
    let (step, heir) = (lane.step, lane.heir);
    let (mut end, calls) = lane.undisturbed();
    let mut failures = Vec::new();
    let mut table = String::new();
    for &fault in faults {
        let row = row(&mut lane, fault, &mut end, &calls);
        if row.cases == 0 {
            failures.push(format!(
                "{} was never struck by {}",
                step.name(),
                fault.name()
            ));
        }
        let ending = match (step.promotes(), fault.kills(), heir) {
            (true, true, true) => "its heir finishes it",
            (true, true, false) => "run again",
            _ => "",
        };
        let _ = writeln!(
            table,
            "matrix | {:15} | {:11} | {ending:20} | {:3} calls | {:3} cases | {:3} passed | {:6} requests | {:3} failed",
            step.name(),
            fault.name(),
            calls.len(),
            row.cases,
            row.cases - row.failures.len(),
            row.sent,
            row.lost
        );
        failures.extend(row.failures);
    }
    failures.extend(processes::wait_for_all(lane.app.name()).err());
    for failure in &failures {
        let _ = writeln!(table, "  {failure}");
    }
    // Seen whether or not the test passes.
    let _ = io::stderr().write_all(table.as_bytes());
    assert!(
        failures.is_empty(),
        "{} failures, see above",
        failures.len()
    );
}

/// The calls that are struck. An app that is called by a name has a few of its own, and one whose failure takes
/// the name back; the others are like any app's.
fn numbers(lane: &Lane, fault: Fault, calls: &[String]) -> Vec<usize> {
    const OWN: [&str; 3] = ["network connect", "network disconnect", "create"];
    let stride = effort::of(STRIDES);
    if stride > 1 && lane.step.has_network() && !lane.is_at_socket() {
        let own = |k: &usize| OWN.iter().any(|own| calls[k - 1].starts_with(own));
        let all = (1..=calls.len()).filter(own);
        return all.step_by(stride.div_ceil(4)).collect();
    }
    // Each fault meets the first call, which may be the only one, and others of the rest than its neighbours do.
    let second = 2 + (fault as usize + usize::from(lane.heir)) % stride;
    [1].into_iter()
        .chain((second..ENOUGH).step_by(stride))
        .collect()
}

/// Every call under one fault, until a run has no such call.
fn row(lane: &mut Lane, fault: Fault, end: &mut State, calls: &[String]) -> Row {
    let mut row = Row::default();
    for k in numbers(lane, fault, calls) {
        let load = Load::start(lane.app.addr(), "/", REQUESTS_PER_S);
        let one = lane.one(fault, k, end);
        let seen = load.stop();
        if !one.reached {
            break;
        }
        row.cases += 1;
        row.sent += seen.sent();
        row.lost += seen.failed();
        let lost = (seen.failed() > 0)
            .then(|| format!("{} requests failed: {:?}", seen.failed(), seen.kinds()));
        let wrong: Vec<String> = one.wrong.into_iter().chain(lost).collect();
        if !wrong.is_empty() {
            let (step, fault) = (lane.step.name(), fault.name());
            let failure = format!("{step} k={k} {fault} [{}]: {}", one.words, wrong.join("; "));
            // At once, as the next case may not come to its end.
            let _ = writeln!(io::stderr(), "matrix: {failure}");
            row.failures.push(failure);
            lane.renew();
            *end = lane.undisturbed().0;
        }
    }
    row
}
