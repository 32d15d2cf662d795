//! Signals and losses at random moments: each seed is one run of a step, one blow and one moment.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use stage::effort;
use stage::load::Load;
use stage::process::{Run, code_of};

use super::case::Case;
use super::lane::Lane;
use super::processes;
use super::state::State;
use super::steps::Step;
use crate::resume::KILLED;
use crate::support::first_seed;

const REQUESTS_PER_S: u32 = 50;
const BLOWS: [Blow; 6] = [
    Blow::Signal(Signal::HUP),
    Blow::Signal(Signal::INT),
    Blow::Signal(Signal::TERM),
    Blow::Kill,
    Blow::KillGroup,
    Blow::NobodyReads,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Signal(Signal),
    Kill,
    KillGroup,
    /// The readers of both streams go away.
    NobodyReads,
}

/// Strikes a step as often as this effort wants; panics where one run was not survived.
pub(super) fn run(step: Step, seeds: [u64; 3]) {
    let seeds = effort::of(seeds);
    let first = first_seed();
    let mut lane = Lane::new(step, None, true);
    let (mut end, _) = lane.undisturbed();
    let usual = lane.struck(|case| {
        let began = Instant::now();
        assert_eq!(ended(start(case).unwrap()).unwrap().code, 0);
        began.elapsed()
    });
    let (mut sent, mut lost, mut failures) = (0, 0, Vec::new());
    for seed in first..first + seeds {
        let load = Load::start(lane.app.addr(), "/", REQUESTS_PER_S);
        let (shown, result) = lane.struck(|case| strike(case, seed, usual, &end));
        let seen = load.stop();
        sent += seen.sent();
        lost += seen.failed();
        let wrong = match result {
            Ok(()) if seen.failed() == 0 => continue,
            Ok(()) => format!("{} requests failed: {:?}", seen.failed(), seen.kinds()),
            Err(error) => format!("{error:#}"),
        };
        failures.push(format!("  {} {shown} (seed {seed}): {wrong}", step.name()));
        lane.renew();
        end = lane.undisturbed().0;
    }
    failures.extend(processes::wait_for_all(lane.app.name()).err());
    let passed = seeds as usize - failures.len();
    let _ = writeln!(
        io::stderr(),
        "moments | {:15} | {seeds:3} seeds from {first} | {passed:3} passed | {sent:6} requests | {lost:3} failed",
        step.name(),
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the step, strikes it, and judges; returns what was done as well.
fn strike(
    case: &Case<'_>,
    seed: u64,
    usual: Duration,
    end: &State,
) -> (String, anyhow::Result<()>) {
    let mut random = Rng::with_seed(seed);
    let blow = BLOWS[random.usize(..BLOWS.len())];
    let after = usual.mul_f64(random.f64());
    let shown = format!("{blow:?} after {} ms", after.as_millis());
    let judged = || -> anyhow::Result<()> {
        let before = case.state()?;
        let live = case.app.id("");
        let mut child = start(case)?;
        thread::sleep(after);
        land(blow, &mut child)?;
        let run = ended(child)?;
        judge(case, blow, &run, &[before, end.clone()], &live)
    };
    (shown, judged())
}

fn start(case: &Case<'_>) -> io::Result<Child> {
    let mut command = case.command(&[]);
    command.stdin(Stdio::null()).process_group(0);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn()
}

fn land(blow: Blow, child: &mut Child) -> anyhow::Result<()> {
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    let pid = Pid::from_child(child);
    match blow {
        Blow::Signal(signal) => kill_process(pid, signal)?,
        Blow::Kill => kill_process(pid, Signal::KILL)?,
        Blow::KillGroup => kill_process_group(pid, Signal::KILL)?,
        Blow::NobodyReads => {
            drop(child.stdout.take());
            drop(child.stderr.take());
        }
    }
    Ok(())
}

fn ended(mut child: Child) -> anyhow::Result<Run> {
    let limit = Instant::now() + Duration::from_secs(120);
    while child.try_wait()?.is_none() {
        if Instant::now() > limit {
            child.kill()?;
            bail!("it did not end within 120 s");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    Ok(Run {
        code: code_of(output.status),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

fn judge(
    case: &Case<'_>,
    blow: Blow,
    run: &Run,
    [before, end]: &[State; 2],
    live: &str,
) -> anyhow::Result<()> {
    let by_signal = |signal: Signal| 128 + signal.as_raw();
    match (blow, run.code) {
        (Blow::NobodyReads, 0 | 1) => {
            ensure!(
                case.state()? == *end,
                "unread: {run:?} {:#?}",
                case.state()?
            );
        }
        (Blow::Kill | Blow::KillGroup, KILLED) => {
            processes::wait_for_heirs(case.app.name()).map_err(anyhow::Error::msg)?;
            let state = case.state()?;
            let whole = !case.step.promotes() || [before, end].contains(&&state);
            ensure!(whole, "after its heir: {state:#?}");
        }
        // So early that it was not yet prepared for it.
        (Blow::Signal(signal), code) if code == by_signal(signal) => {
            ensure!(case.state()? == *before, "{run:?} {:#?}", case.state()?);
        }
        (Blow::Signal(Signal::HUP), code) => {
            ensure!(code == 0, "a lost terminal: {run:?}");
            case.tells_the_truth(run, end, live)?;
        }
        (Blow::Signal(_), 0 | 7) | (_, 0) => case.tells_the_truth(run, end, live)?,
        _ => bail!("it ended with {run:?}"),
    }
    if run.code != 0 && blow != Blow::NobodyReads {
        case.again(end)?;
    }
    if case.step.promotes() {
        case.answers()?;
    }
    Ok(())
}
