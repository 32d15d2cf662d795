//! One probe of a service's tasks: what it is of, and what it has seen.

use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use step::engine::Engine;
use step::engine::summary::Crash;
use step::engine::swarm::service::Service;
use step::engine::swarm::task::Task;
use step::health::Attempt;
use step::model::probe::Probe;
use step::signals::interrupted;
use step::time::millis;

use crate::args::Args;
use crate::failure::{Failure, Seen};

/// Between two looks at the tasks: two calls of the engine.
pub(super) const PAUSE: Duration = Duration::from_millis(300);

/// One probe of a service's tasks.
pub(super) struct TaskProbe<'a> {
    pub(super) args: &'a Args,
    pub(super) engine: &'a Engine,
    pub(super) service: &'a Service,
    pub(super) probe: Probe,
    pub(super) port: Option<u16>,
    pub(super) until: Instant,
    pub(super) word: Word,
}

/// What the program said in its container.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Word {
    pub(super) ok: bool,
    pub(super) attempts: u32,
    pub(super) last_attempts: Vec<Attempt>,
}

impl TaskProbe<'_> {
    pub(super) fn pause(&self) -> Result<(), Failure> {
        if interrupted() {
            return Err(Failure::Interrupted(self.service.name().to_owned()));
        }
        thread::sleep(PAUSE);
        Ok(())
    }

    /// The tasks, unless one has failed; what is live may have had failed ones at any time.
    pub(super) fn tasks(&self) -> Result<Vec<Task>, Failure> {
        let tasks = self.engine.tasks(self.service)?;
        match tasks.iter().find(|task| task.has_ended()) {
            Some(ended) if !self.args.live => Err(self.failed(ended)),
            _ => Ok(tasks),
        }
    }

    pub(super) fn not_in_time(&self, saw: String) -> Failure {
        let attempt = Attempt {
            at_ms: 0,
            took_ms: millis(self.args.within),
            ok: false,
            saw,
        };
        let mut seen = self.evidence(Vec::new());
        seen.last_attempts.push(attempt);
        Failure::NotHealthy(self.word.attempts + 1, seen)
    }

    pub(super) fn failed(&self, task: &Task) -> Failure {
        let mut seen = self.evidence(self.log(task));
        seen.crash = Some(Crash {
            status: task.state().to_owned(),
            exit_code: task.exit_code(),
            oom_killed: false,
            restarts: 0,
        });
        Failure::TaskFailed(task.why(), seen)
    }

    pub(super) fn log(&self, task: &Task) -> Vec<String> {
        let secrets = self.service.secrets();
        self.engine.task_log(&task.id, 20, &secrets)
    }

    pub(super) fn evidence(&self, log: Vec<String>) -> Box<Seen> {
        Box::new(Seen {
            container: self.service.name().to_owned(),
            last_attempts: self.word.last_attempts.clone(),
            crash: None,
            log,
        })
    }
}
