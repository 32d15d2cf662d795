//! On a swarm: the live service is updated to what the candidate service was verified with, and Swarm replaces the tasks.

mod orders;
mod verdict;

use std::time::Duration;

use step::{
    Baton, CANDIDATE_LABEL, Engine, Lock, Name, Names, PREVIOUS_LABEL, Previous, Recipe, Service,
    Update, no_way_back, progress, repository,
};

use crate::args::Args;
use crate::failure::Failure;
use crate::report::{Replaced, Report};
use verdict::Waiting;

/// One promotion of one service.
struct Promotion<'a> {
    args: &'a Args,
    engine: Engine,
    app: &'a Name,
    live: &'a Name,
    names: Names,
}

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(Failure::Usage)?;
    let lock = Lock::take(live, Duration::from_secs(1)).map_err(Failure::NoLock)?;
    let lock = lock.ok_or_else(|| Failure::Locked(live.to_string()))?;
    let engine = Engine::find(&args.common.engine)?.holding(&lock);
    engine.manager()?;
    let promotion = Promotion {
        args,
        engine,
        app,
        live,
        names,
    };
    promotion.run()
}

impl Promotion<'_> {
    fn run(&self) -> Result<Report, Failure> {
        let live = self.engine.service(&self.names.live)?;
        let candidate = self.engine.service(&self.names.candidate)?;
        let Some(candidate) = candidate else {
            return self.nothing_to_promote(live);
        };
        let recipe = Recipe::of_service(&candidate);
        let recipe = recipe.ok_or_else(|| self.no_candidate("was not made by start-candidate"))?;
        if let Some(live) = &live
            && live.label(CANDIDATE_LABEL) == Some(&candidate.id)
        {
            progress(&format!(
                "promote: carrying on an update of {}",
                self.names.live
            ));
            return self.see_through(live, &candidate, &recipe, true);
        }
        self.check(live.as_ref(), &candidate, &recipe)?;
        no_way_back();
        let updated = match &live {
            Some(live) => self.update(live, &candidate, &recipe)?,
            None => self.create(&candidate, &recipe)?,
        };
        self.see_through(&updated, &candidate, &recipe, false)
    }

    fn no_candidate(&self, why: &str) -> Failure {
        Failure::NoCandidate(format!("the service {} {why}", self.names.candidate))
    }

    /// Done already, unless its update goes on.
    fn nothing_to_promote(&self, live: Option<Service>) -> Result<Report, Failure> {
        let live = live.filter(|live| live.label(CANDIDATE_LABEL).is_some());
        let found = live.and_then(|live| Some((Recipe::of_service(&live)?, live)));
        let handed = self.args.baton.candidate_id.as_deref();
        match found {
            Some((recipe, live))
                if handed.is_none_or(|id| live.label(CANDIDATE_LABEL) == Some(id)) =>
            {
                let update = Waiting::new(self, &live, &recipe).until_done()?;
                Ok(self.report(update, recipe, false, false))
            }
            _ => Err(self.no_candidate("does not exist")),
        }
    }

    /// Whether the candidate is the one that was meant, still runs, and may go live.
    fn check(
        &self,
        live: Option<&Service>,
        candidate: &Service,
        recipe: &Recipe,
    ) -> Result<(), Failure> {
        let mut meant = self.args.baton.candidate_id.iter();
        if meant.any(|id| *id != candidate.id) {
            return Err(self.no_candidate("is another one than was probed"));
        }
        let tasks = self.engine.tasks(candidate)?;
        if tasks.len() != 1 || !tasks.iter().all(step::Task::runs) {
            let why = tasks
                .first()
                .map_or_else(|| "no task".to_owned(), step::Task::why);
            return Err(self.no_candidate(&format!("does not run: {why}")));
        }
        let Some(live) = live else {
            return Ok(());
        };
        let newer = Recipe::of_service(live).and_then(|it| it.newer_than(recipe.deploy_id));
        if let Some((deploy_id, newer)) = recipe.deploy_id.zip(newer) {
            return Err(Failure::Overtaken { deploy_id, newer });
        }
        if matches!(live.update(), Update::Running | Update::RollingBack) {
            return Err(Failure::Locked(self.names.live.clone()));
        }
        match live.options().cannot_become(&candidate.options()) {
            Some(part) => Err(Failure::NotVerified(format!(
                "its {part}, which no update can change"
            ))),
            None => Ok(()),
        }
    }

    fn again(&self) -> Result<Service, Failure> {
        let found = self.engine.service(&self.names.live)?;
        found.ok_or_else(|| Failure::NoCandidate(format!("the service {} was removed", self.live)))
    }

    /// Waits for what becomes of the update, then takes the candidate away.
    fn see_through(
        &self,
        live: &Service,
        candidate: &Service,
        recipe: &Recipe,
        carried_on: bool,
    ) -> Result<Report, Failure> {
        let waiting = Waiting::new(self, live, recipe);
        let first = !carried_on && live.label(PREVIOUS_LABEL).is_none();
        let waiting = if first { waiting.first() } else { waiting };
        let done = waiting.until_done()?;
        let mut report = self.report(done, recipe.clone(), true, carried_on);
        if self.engine.remove_service(&candidate.id).is_err() {
            report.left_over.push(self.names.candidate.clone());
        }
        progress(&format!(
            "promote: {} is live with {}",
            self.live, recipe.image
        ));
        Ok(report)
    }

    fn report(
        &self,
        done: verdict::Done,
        recipe: Recipe,
        changed: bool,
        carried_on: bool,
    ) -> Report {
        let named = |previous: Previous| Replaced {
            image: previous.image,
            image_id: previous.image_id,
        };
        let previous = Previous::of_service(&done.service).filter(|_| changed);
        Report {
            container_id: done.service.id.clone(),
            deploy_id: recipe.deploy_id,
            changed,
            carried_on,
            replaced: previous.map(named),
            swap: None,
            heir: None,
            left_over: Vec::new(),
            tasks: done.tasks.iter().map(step::Task::standing).collect(),
            baton: Baton {
                app: Some(self.app.clone()),
                container: Some(self.live.clone()),
                image: Some(recipe.image),
                image_id: Some(recipe.image_id),
                digest: recipe.digest,
                ..Baton::default()
            },
        }
    }
}

/// Whether two names of an image are of the same bytes in the same repository.
fn same_image(one: &str, other: &str) -> bool {
    let digest = |image: &str| image.split_once('@').map(|(_, digest)| digest.to_owned());
    repository(one) == repository(other) && digest(one) == digest(other)
}
