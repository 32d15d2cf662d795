//! An engine with two live apps that restarts in the middle of one step or another.

use std::ops::RangeFrom;

use stage::docker::docker;
use stage::effort;
use stage::power::Engine;
use stage::process::Run;

use super::held::Held;
use crate::resume::ENOUGH;
use crate::support::{App, Fault, eventually};

/// A live app, and another one beside it.
pub(super) struct Ground {
    engine: Engine,
    pub(super) app: App,
    other: App,
}

/// One step, what comes before it, and what the job does if it failed.
pub(super) struct Work<'a> {
    pub(super) step: &'a str,
    pub(super) flags: &'a [&'a str],
    pub(super) before: &'a dyn Fn(),
    pub(super) again: &'a dyn Fn(),
}

impl Ground {
    pub(super) fn new() -> Ground {
        let ground = Ground {
            engine: Engine::find().unwrap(),
            app: App::new("restart"),
            other: App::new("bystander"),
        };
        ground.app.deploy(&ground.app.build("v1"), &[]);
        ground.other.deploy(&ground.other.build("other"), &[]);
        ground
    }

    fn restart(&self) {
        self.engine.crash().unwrap();
        self.engine.start().unwrap();
        eventually("the app answers", || self.app.answer() == "v1");
        eventually("the other app answers on its own port", || {
            self.other.answer() == "other"
        });
    }

    /// The engine restarts before each of these calls of the step, which then ends with one of `codes`.
    pub(super) fn at_each_call(&self, work: &Work<'_>, calls: RangeFrom<usize>, codes: &[i32]) {
        let end = work.undisturbed();
        let first = calls.start;
        for k in calls.step_by(effort::of([4, 1, 1])).take(ENOUGH) {
            (work.before)();
            let step = |fault: Fault<'_>| self.app.faulty(work.step, fault, work.flags);
            let Some(held) = Held::before(k, step) else {
                assert!(k > first, "only {k} calls of {}", work.step);
                return;
            };
            self.restart();
            let (run, calls) = held.go_on();
            let done = self.judged(&run, codes) == 0;
            assert!(!done || everything() == end, "{run:?} {calls}");
            self.converges(work, &end, &run);
        }
        panic!("{ENOUGH} calls of {}", work.step);
    }

    /// The engine ends while a call is under way, a moment after it began.
    pub(super) fn within(&self, work: &Work<'_>, call: &str, moment: impl Fn(), codes: &[i32]) {
        let end = work.undisturbed();
        (work.before)();
        let step = |fault: Fault<'_>| self.app.faulty(work.step, fault, work.flags);
        let held = Held::in_the_middle_of(call, step);
        moment();
        self.restart();
        let (run, _) = held.go_on();
        self.judged(&run, codes);
        self.converges(work, &end, &run);
    }

    /// The exit code is one of those the step's help has for it, and the report says the same.
    fn judged(&self, run: &Run, codes: &[i32]) -> i32 {
        let report = run.json().unwrap();
        assert!(codes.contains(&run.code), "{run:?}");
        assert_eq!(report["ok"], run.code == 0, "{run:?}");
        assert_eq!(
            report["error"]["code"].as_i64().unwrap_or(0),
            i64::from(run.code)
        );
        assert_eq!(self.app.answer(), "v1", "{run:?}");
        run.code
    }

    fn converges(&self, work: &Work<'_>, end: &[String], run: &Run) {
        (work.again)();
        assert_eq!(everything(), end, "{run:?}");
        assert_eq!([self.app.answer(), self.other.answer()], ["v1", "other"]);
    }
}

impl Work<'_> {
    fn undisturbed(&self) -> Vec<String> {
        (self.before)();
        (self.again)();
        everything()
    }
}

/// The engine's containers, images and volumes.
fn everything() -> Vec<String> {
    let questions: [&[&str]; 3] = [
        &["ps", "-a", "--format", "{{.Names}} {{.Image}} {{.State}}"],
        &["image", "ls", "-a", "--format", "{{.Repository}}:{{.Tag}}"],
        // Their names are random.
        &["volume", "ls", "--format", "{{.Driver}}"],
    ];
    let answers = questions.map(|words| docker(words).unwrap());
    let lines = answers.iter().flat_map(|answer| answer.lines());
    let mut all: Vec<String> = lines.map(str::to_owned).collect();
    all.sort_unstable();
    all
}
