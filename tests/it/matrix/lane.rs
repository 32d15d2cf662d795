//! One app, on which a step meets one fault after another.

use stage::docker::docker;
use stage::image::Built;
use stage::relay::Relay;

use super::case::Case;
use super::fault::Fault;
use super::processes;
use super::state::State;
use super::steps::Step;
use crate::proxy::front::Front;
use crate::support::{App, path_with_faulty_nft};

pub(super) struct Lane {
    pub(super) step: Step,
    pub(super) heir: bool,
    /// Where the faults are at the engine's socket, and not at its CLI.
    relay: Option<Relay>,
    pub(super) app: App,
    releases: [Built; 2],
    path: String,
    _folder: tempfile::TempDir,
    /// The proxy, where there is one.
    front: Option<Front>,
    /// How many deployments there were.
    turns: usize,
}

/// What became of one case.
pub(super) struct One {
    /// Whether the run had such a call.
    pub(super) reached: bool,
    /// Its words.
    pub(super) words: String,
    pub(super) wrong: Option<String>,
}

impl Lane {
    pub(super) fn new(step: Step, relay: Option<Relay>, heir: bool) -> Lane {
        let app = App::new("matrix");
        step.lay_ground(&app);
        let releases = [app.build("v1"), step.release(&app, "v2")];
        let (folder, path) = path_with_faulty_nft();
        let mut lane = Lane {
            step,
            heir,
            relay,
            app,
            releases,
            path,
            _folder: folder,
            front: None,
            turns: 0,
        };
        lane.renew();
        lane.front = lane.step.front(&lane.app);
        lane
    }

    pub(super) fn is_at_socket(&self) -> bool {
        self.relay.is_some()
    }

    /// Two releases, so that the live one has one before it.
    pub(super) fn renew(&mut self) {
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
            self.step.deploy(&self.app, &self.releases[release]);
        }
    }

    /// The release that is to go live at this turn, and the live one.
    fn turn(&self) -> (&Built, &Built) {
        let swaps = if self.step.promotes() { self.turns } else { 0 };
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
            relay: self.relay.as_ref(),
            roles: self.step.prepare(&self.app, new, old),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The state in which the step ends when nothing goes wrong, and its calls.
    pub(super) fn undisturbed(&mut self) -> (State, Vec<String>) {
        let case = self.case();
        let (run, calls) = case.meet(Fault::Fail, 0).unwrap();
        assert_eq!(run.code, 0, "{run:?}");
        let end = case.state().unwrap();
        self.turns += 1;
        (end, calls)
    }

    /// One run of the step, to which `what` is done.
    pub(super) fn struck<T>(&mut self, what: impl FnOnce(&Case<'_>) -> T) -> T {
        let done = what(&self.case());
        self.turns += 1;
        done
    }

    /// The step with the fault at call `k`, and what its user does then.
    pub(super) fn one(&mut self, fault: Fault, k: usize, end: &State) -> One {
        let case = self.case();
        let live = self.app.id("");
        let (calls, mut result) = match case.meet(fault, k) {
            Err(error) => (Vec::new(), Err(error)),
            Ok((run, calls)) if calls.len() < k => (calls, case.is_done(&run)),
            Ok((run, calls)) => (calls, case.judge(fault, k, &run, end, &live)),
        };
        let reached = result.is_err() || calls.len() >= k;
        if result.is_ok() && self.step.promotes() {
            result = case.answers();
        }
        self.turns += 1;
        One {
            reached,
            words: calls.get(k - 1).cloned().unwrap_or_default(),
            wrong: result.err().map(|error| format!("{error:#}")),
        }
    }
}
