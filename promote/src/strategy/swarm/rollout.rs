//! What becomes of an update: Swarm's own word, and what its tasks show, which is not always the same.

use std::thread;
use std::time::{Duration, Instant};

use step::engine::swarm::service::{Service, Update};
use step::engine::swarm::task::Task;
use step::recipe::Recipe;
use step::terminal::progress;
use step::terminal::spinner::{status, waiting};

use super::service::{candidate_of, live_now, same_image};
use crate::failure::{Evidence, Failure};
use crate::promotion::Promotion;

/// Between two looks, of three calls of the engine each.
const PAUSE: Duration = Duration::from_millis(250);

/// An update that is done.
pub(super) struct Done {
    pub(super) service: Service,
    /// The tasks that run.
    pub(super) tasks: Vec<Task>,
}

/// The wait for one update.
pub(super) struct Rollout<'a> {
    promotion: &'a Promotion<'a>,
    name: &'a str,
    /// The update's mark, which a rollback takes away with all else.
    candidate: Option<String>,
    image: String,
    /// It was created just now: there is nothing to go back to.
    is_first: bool,
}

/// What one look found.
enum Look {
    Done(Box<Done>),
    /// It goes on.
    On,
    /// Swarm went back by itself; whether it is there yet.
    Back(bool),
    /// It stands still, as Swarm says why.
    Paused(String, Way),
}

/// The way that is left to a person.
#[derive(Clone, Copy)]
enum Way {
    Back,
    /// Swarm has the specification before already; another rollback is refused, or brings back what failed.
    OnAsBefore,
}

impl<'a> Rollout<'a> {
    pub(super) fn new(promotion: &'a Promotion<'a>, live: &Service, recipe: &Recipe) -> Self {
        Self {
            promotion,
            name: &promotion.names.live,
            candidate: candidate_of(live),
            image: recipe.pinned().unwrap_or_else(|| live.image().to_owned()),
            is_first: false,
        }
    }

    /// For a service that was just created.
    pub(super) fn first(self) -> Self {
        Self {
            is_first: true,
            ..self
        }
    }

    /// Until it is done or was undone. No time is too long as long as it goes on: what is limited
    /// is how long no further task may come up.
    pub(super) fn until_done(&self) -> Result<Done, Failure> {
        let _wait = waiting(format!("promote: waiting for the tasks of {}", self.name));
        let patience = self.promotion.args.within + self.promotion.args.monitor;
        let (mut since, mut best, mut undoing) = (Instant::now(), (false, 0), None);
        loop {
            let (look, tasks) = self.look()?;
            let far = match look {
                Look::Done(done) => return Ok(*done),
                Look::Back(true) => return Err(self.undone(undoing, &tasks)),
                Look::Paused(why, way) => return Err(self.needs_a_person(&why, way, &tasks)),
                Look::Back(false) => (true, self.up(&tasks, false)),
                Look::On => (false, self.up(&tasks, true)),
            };
            if self.is_first && tasks.iter().any(Task::has_failed) {
                return Err(self.unmade(&tasks));
            }
            if far > best {
                (since, best) = (Instant::now(), far);
            } else if since.elapsed() > patience {
                if far.0 || undoing.is_some() {
                    let why = "the rollback does not go on either";
                    return Err(self.needs_a_person(why, Way::OnAsBefore, &tasks));
                }
                undoing = Some(self.undo(&tasks)?);
                since = Instant::now();
            }
            thread::sleep(PAUSE);
        }
    }

    /// How many tasks run, new ones or old ones; shown to people, too.
    fn up(&self, tasks: &[Task], new: bool) -> usize {
        let is_new = |task: &&Task| same_image(task.image(), &self.image);
        let up: Vec<&Task> = tasks.iter().filter(|task| task.runs()).collect();
        let news = up.iter().filter(|task| is_new(task)).count();
        status(&format!("{news} new and {} old tasks run", up.len() - news));
        if new { news } else { up.len() - news }
    }

    fn look(&self) -> Result<(Look, Vec<Task>), Failure> {
        let engine = &self.promotion.engine;
        let service = live_now(self.promotion)?;
        let tasks = engine.tasks(&service)?;
        let ours = candidate_of(&service) == self.candidate;
        let wanted: Vec<&Task> = tasks.iter().filter(|task| task.is_wanted()).collect();
        let planned = service.replicas().unwrap_or(wanted.len());
        let up = wanted.len() == planned && wanted.iter().all(|task| task.runs());
        let as_specified = |task: &&Task| same_image(task.image(), service.image());
        let settled = up && wanted.iter().all(as_specified);
        let look = match service.update() {
            Update::Paused => Look::Paused(service.update_message(), Way::Back),
            Update::RollbackPaused => Look::Paused(service.update_message(), Way::OnAsBefore),
            _ if !ours => Look::Back(settled && service.update() != Update::RollingBack),
            Update::RollingBack => Look::Back(false),
            // Swarm's word is late at the beginning, and early at the end.
            // The mark is still there, so what was rolled back was another update.
            Update::None | Update::Completed | Update::RolledBack
                if settled && same_image(service.image(), &self.image) =>
            {
                let tasks = tasks.iter().filter(|task| task.runs()).cloned().collect();
                Look::Done(Box::new(Done { service, tasks }))
            }
            _ => Look::On,
        };
        Ok((look, tasks))
    }

    /// Has Swarm go back from an update that does not go on; what it hung on.
    fn undo(&self, tasks: &[Task]) -> Result<String, Failure> {
        let stuck = tasks.iter().find(|task| task.is_wanted() && !task.runs());
        let why = stuck.map_or_else(|| "nothing changes any more".to_owned(), Task::why);
        if self.is_first {
            return Err(self.unmade(tasks));
        }
        progress(&format!(
            "promote: the update of {} is stuck ({why}), it is rolled back",
            self.name
        ));
        if let Err(error) = self.promotion.engine.roll_back_service(self.name)
            // Swarm may have gone back by itself since the last look.
            && matches!(self.look()?.0, Look::On)
        {
            return Err(self.needs_a_person(&format!("{why}; {error}"), Way::Back, tasks));
        }
        Ok(why)
    }

    /// It was stuck and nothing ran, or what ran was not healthy.
    fn undone(&self, stuck: Option<String>, tasks: &[Task]) -> Failure {
        let mut evidence = self.evidence(tasks);
        evidence.rolled_back_to = Some(self.name.to_owned());
        let evidence = Box::new(evidence);
        if let Some(why) = stuck {
            let message = format!("the update of {} was stuck: {why}", self.name);
            return Failure::NotStarted { message, evidence };
        }
        let failed = self
            .failed(tasks)
            .map_or_else(String::new, |it| format!(": {}", it.why()));
        let message = format!("a new task of {} failed{failed}", self.name);
        Failure::Unhealthy { message, evidence }
    }

    /// The first deployment failed: its service goes again.
    fn unmade(&self, tasks: &[Task]) -> Failure {
        let mut stuck = tasks.iter().filter(|task| !task.runs());
        let why = stuck
            .next()
            .map_or_else(String::new, |task| format!(": {}", task.why()));
        let evidence = Box::new(self.evidence(tasks));
        // The failure itself is what the caller must hear of.
        let _ = self.promotion.engine.remove_service(self.name);
        let message = format!("no task of {} stayed up{why}", self.name);
        Failure::NotStarted { message, evidence }
    }

    fn needs_a_person(&self, why: &str, way: Way, tasks: &[Task]) -> Failure {
        let name = self.name;
        let look = format!("`docker service ps --no-trunc {name}`");
        let commands = match way {
            Way::Back => format!("look at {look}, then `docker service rollback {name}`"),
            Way::OnAsBefore => format!(
                "Swarm has gone back to the release before already, do not roll back again: see in {look} why its tasks fail, mend that, then `docker service update --force {name}`"
            ),
        };
        Failure::RollbackFailed {
            message: format!("the update of {name} did not go through"),
            why: why.to_owned(),
            commands: format!("{commands}; the tasks that run go on serving"),
            evidence: Box::new(self.evidence(tasks)),
        }
    }

    fn failed<'t>(&self, tasks: &'t [Task]) -> Option<&'t Task> {
        let mut new = tasks
            .iter()
            .filter(|task| same_image(task.image(), &self.image));
        // One that was told to end for its bad health may well end well.
        new.find(|task| task.has_failed() || task.state() == "complete")
    }

    fn evidence(&self, tasks: &[Task]) -> Evidence {
        let failed = self.failed(tasks);
        let engine = &self.promotion.engine;
        Evidence {
            log: failed.map_or_else(Vec::new, |task| {
                engine.task_log(&task.id, 20, &task.secrets())
            }),
            tasks: tasks.iter().map(Task::standing).collect(),
            ..Evidence::default()
        }
    }
}
