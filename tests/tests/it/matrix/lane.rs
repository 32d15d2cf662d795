//! One step and some faults: as many cases as the step has calls, and the table of what came of them.

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;

use tests::cargo;
use tests::docker::docker;
use tests::image::Built;
use tests::load::Load;

use super::case::Case;
use super::fault::Fault;
use super::processes;
use super::state::State;
use super::steps::Step;
use crate::support::{App, get};

/// More calls than any step makes.
const ENOUGH: usize = 80;
/// Unless the matrix is asked for by name, one case of so many is run.
const STRIDE: usize = 3;

#[derive(Default)]
struct Row {
    cases: usize,
    sent: usize,
    lost: usize,
    failures: Vec<String>,
}

struct Lane {
    step: Step,
    heir: bool,
    app: App,
    releases: [Built; 2],
    path: String,
    _folder: tempfile::TempDir,
    /// How many deployments there were.
    turns: usize,
}

/// Runs the cases and prints their table; panics where one failed.
pub(super) fn run(step: Step, faults: &[Fault], heir: bool) {
    let mut lane = Lane::new(step, heir);
    let (end, calls) = lane.undisturbed();
    let mut failures = Vec::new();
    let mut table = format!("{} calls of {}: {calls:#?}\n", calls.len(), step.name());
    for (at, &fault) in faults.iter().enumerate() {
        let row = lane.row(fault, at, &end);
        let kind = match (step, fault.kills(), heir) {
            (Step::Promote, true, true) => "its heir finishes it",
            (Step::Promote, true, false) => "run again",
            _ => "",
        };
        let passed = row.cases - row.failures.len();
        let _ = writeln!(
            table,
            "matrix | {:15} | {:11} | {kind:20} | {:3} cases | {passed:3} passed | {:6} requests | {:3} failed",
            step.name(),
            fault.name(),
            row.cases,
            row.sent,
            row.lost
        );
        failures.extend(row.failures);
    }
    if let Err(left) = processes::wait_for_all(lane.app.name()) {
        failures.push(left);
    }
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

fn whole() -> bool {
    env::args().any(|arg| arg.contains("matrix"))
}

impl Lane {
    fn new(step: Step, heir: bool) -> Lane {
        let app = App::new("matrix");
        let releases = [app.build("v1"), step.release(&app, "v2")];
        let folder = tempfile::tempdir().unwrap();
        let shim = cargo::steps().unwrap().join("faulty-docker");
        symlink(shim, folder.path().join("nft")).unwrap();
        let path = format!("{}:{}", folder.path().display(), env::var("PATH").unwrap());
        let mut lane = Lane {
            step,
            heir,
            app,
            releases,
            path,
            _folder: folder,
            turns: 0,
        };
        lane.renew();
        lane
    }

    /// Two releases, so that the live one has one before it.
    fn renew(&mut self) {
        // One at work would be in the way.
        let _ = processes::wait_for_heirs(self.app.name());
        let ends = ["", "-new", "-old", "-next"].map(|end| format!("{}{end}", self.app.name()));
        docker(
            ["rm", "-f", "-v"]
                .into_iter()
                .chain(ends.iter().map(String::as_str)),
        )
        .unwrap();
        for family in ["inet", "bridge"] {
            let table = format!("deploy-steps-{}", self.app.name());
            let mut nft = std::process::Command::new("nft");
            let _ = nft.args(["delete", "table", family, &table]).output();
        }
        self.turns = 0;
        self.step.provide(&self.releases[1]);
        for release in [1, 0] {
            self.app
                .deploy(&self.releases[release], &["-e", "COLOR=blue"]);
        }
    }

    /// The release that is to go live at this turn, and the live one.
    fn turn(&self) -> (&Built, &Built) {
        let swaps = if self.step == Step::Promote {
            self.turns
        } else {
            0
        };
        (&self.releases[(swaps + 1) % 2], &self.releases[swaps % 2])
    }

    fn case(&self) -> Case<'_> {
        let (new, old) = self.turn();
        Case {
            step: self.step,
            app: &self.app,
            new,
            old,
            path: &self.path,
            heir: self.heir,
            roles: self.step.prepare(&self.app, new, old),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The state in which the step ends when nothing goes wrong, and its calls.
    fn undisturbed(&mut self) -> (State, Vec<String>) {
        let case = self.case();
        let (run, calls) = case.meet(Fault::Fail, 0).unwrap();
        assert_eq!(run.code, 0, "{run:?}");
        let end = case.state().unwrap();
        self.turns += 1;
        (end, calls)
    }

    /// Every call under one fault, until a run has no such call.
    fn row(&mut self, fault: Fault, at: usize, end: &State) -> Row {
        let mut row = Row::default();
        let first = if whole() {
            1
        } else {
            1 + (at + fault as usize + usize::from(self.heir)) % STRIDE
        };
        let stride = if whole() { 1 } else { STRIDE };
        for k in (first..ENOUGH).step_by(stride) {
            let load = Load::start(self.app.addr(), "/", 50);
            let (reached, words, result) = self.one(fault, k, end);
            let seen = load.stop();
            row.cases += usize::from(reached);
            row.sent += seen.sent();
            row.lost += seen.failed();
            let lost = (seen.failed() > 0)
                .then(|| format!("{} requests failed: {:?}", seen.failed(), seen.kinds()));
            let wrong: Vec<String> = result.err().into_iter().chain(lost).collect();
            if !wrong.is_empty() {
                row.failures.push(format!(
                    "{} k={k} {} [{words}]: {}",
                    self.step.name(),
                    fault.name(),
                    wrong.join("; ")
                ));
                let failure = row.failures.last().map_or("", String::as_str);
                // At once, as the next case may not come to its end.
                let _ = writeln!(io::stderr(), "matrix: {failure}");
                self.renew();
            }
            if !reached {
                break;
            }
        }
        row
    }

    fn one(&mut self, fault: Fault, k: usize, end: &State) -> (bool, String, Result<(), String>) {
        let case = self.case();
        let live = self.app.id("");
        let (reached, words, result) = match case.meet(fault, k) {
            Err(error) => (true, "?".to_owned(), Err(error)),
            Ok((run, calls)) => {
                let words = calls.get(k - 1).cloned().unwrap_or_default();
                let result = if calls.len() < k {
                    Ok(())
                } else {
                    case.judge(fault, k, &run, end, &live)
                };
                (calls.len() >= k, words, result)
            }
        };
        let released = case.new.name.clone();
        self.turns += 1;
        let mut result = result.map_err(|error| format!("{error:#}"));
        if result.is_ok() && self.step == Step::Promote {
            let answer = get(self.app.addr(), "/").unwrap_or_else(|error| error.to_string());
            if !released.ends_with(&answer) {
                result = Err(format!("{answer} answers"));
            }
        }
        (reached, words, result)
    }
}
