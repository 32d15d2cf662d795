//! On a swarm: the live service is updated to what the candidate service was verified with, and Swarm replaces the tasks.

mod verdict;

use std::time::Duration;

use step::{
    APP_LABEL, Baton, CANDIDATE_LABEL, Condition, Engine, ImageRef, Lock, Name, Names,
    PREVIOUS_LABEL, Previous, RECIPE_LABEL, Recipe, Reply, Service, Update, no_way_back, printable,
    progress, redact, repository,
};

use crate::args::Args;
use crate::failure::{Evidence, Failure};
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
                "{part}, which no update can change"
            ))),
            None => Ok(()),
        }
    }

    fn update(
        &self,
        live: &Service,
        candidate: &Service,
        recipe: &Recipe,
    ) -> Result<Service, Failure> {
        if !live.rolls_back_start_first() {
            // The way back is the one that stood there before the update.
            let order = ["--rollback-order=start-first".to_owned()];
            self.done(live, &self.engine.update_service(&live.id, &order)?)?;
        }
        let mut words = vec![format!("--image={}", candidate.image())];
        words.extend(self.how());
        words.extend(live.options().changes_to(&candidate.options()));
        words.extend(self.args.replicas.map(|n| format!("--replicas={n}")));
        let labels = self.labels(candidate, recipe, self.previous(live, recipe)?);
        words.extend(
            labels
                .into_iter()
                .map(|label| format!("--label-add={label}")),
        );
        progress(&format!("promote: updating the service {}", live.name()));
        self.done(live, &self.engine.update_service(&live.id, &words)?)?;
        self.again()
    }

    /// The first deployment, made of the very words that made the candidate.
    fn create(&self, candidate: &Service, recipe: &Recipe) -> Result<Service, Failure> {
        let mut words = vec![
            format!("--name={}", self.names.live),
            format!("--replicas={}", self.args.replicas.unwrap_or(1)),
        ];
        if recipe.publish.is_empty() {
            words.push("--endpoint-mode=dnsrr".to_owned());
        }
        let ports = recipe.publish.iter();
        let ports =
            ports.map(|it| format!("--publish=published={},target={}", it.host, it.container));
        words.extend(ports);
        words.extend(self.how());
        let labels = self.labels(candidate, recipe, None);
        words.extend(labels.into_iter().map(|label| format!("--label={label}")));
        words.extend(recipe.options.iter().cloned());
        words.push(candidate.image().to_owned());
        words.extend(recipe.command.iter().cloned());
        progress(&format!(
            "promote: creating the service {}",
            self.names.live
        ));
        let reply = self.engine.create_service(&words, &recipe.folder)?;
        self.done(candidate, &reply)?;
        let created = self.again()?;
        // An env file may have changed since.
        let changed = created.options().changes_to(&candidate.options());
        if changed.is_empty() {
            return Ok(created);
        }
        let _ = self.engine.remove_service(&created.id);
        let part = changed[0].split('=').next().unwrap_or_default();
        Err(Failure::NotVerified(
            part.trim_start_matches('-').to_owned(),
        ))
    }

    /// How Swarm is to replace the tasks.
    fn how(&self) -> Vec<String> {
        let args = self.args;
        vec![
            "--update-order=start-first".to_owned(),
            "--update-failure-action=rollback".to_owned(),
            "--update-max-failure-ratio=0".to_owned(),
            format!("--update-monitor={}ms", args.monitor.as_millis()),
            format!("--update-parallelism={}", args.parallelism),
            "--rollback-order=start-first".to_owned(),
            format!("--rollback-parallelism={}", args.parallelism),
        ]
    }

    fn labels(
        &self,
        candidate: &Service,
        recipe: &Recipe,
        previous: Option<Previous>,
    ) -> Vec<String> {
        let mut labels = vec![
            format!("{APP_LABEL}={}", self.app),
            format!("{RECIPE_LABEL}={}", recipe.label()),
            format!("{CANDIDATE_LABEL}={}", candidate.id),
        ];
        labels.extend(previous.map(|it| format!("{PREVIOUS_LABEL}={}", it.label())));
        labels
    }

    /// What `start-candidate --previous` would go back to; the same release again replaces nothing.
    fn previous(&self, live: &Service, recipe: &Recipe) -> Result<Option<Previous>, Failure> {
        let was = Recipe::of_service(live);
        if was.as_ref().is_some_and(|was| was.digest == recipe.digest)
            && let Some(earlier) = Previous::of_service(live)
        {
            return Ok(Some(earlier));
        }
        let Some((_, digest)) = live.image().split_once('@') else {
            return Ok(None);
        };
        let bare = was.is_none().then(|| live.image().parse().ok()).flatten();
        let foreign = bare.map(|image: ImageRef| Recipe {
            image,
            image_id: digest.parse().unwrap_or_default(),
            digest: Some(digest.to_owned()),
            ..Recipe::default()
        });
        let recipe = was.or(foreign);
        Ok(recipe.map(|recipe| Previous {
            image: recipe.image.to_string(),
            image_id: recipe.image_id.to_string(),
            recipe: Some(recipe),
            condition: Condition::default(),
        }))
    }

    /// An order that was not refused.
    fn done(&self, service: &Service, reply: &Reply) -> Result<(), Failure> {
        if reply.code == Some(0) {
            return Ok(());
        }
        if reply.engine_is_away() {
            return Err(reply.failure().into());
        }
        let said = printable(&redact(&reply.stderr, &service.secrets()), 300);
        Err(Failure::NotStarted {
            message: format!("Swarm refused the order: {said}"),
            evidence: Box::new(Evidence::default()),
        })
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
