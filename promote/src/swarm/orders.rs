//! What Swarm is told: to update the live service to what was verified, or to create it.

use step::{
    APP_LABEL, CANDIDATE_LABEL, Condition, ImageRef, PREVIOUS_LABEL, Previous, RECIPE_LABEL,
    Recipe, Reply, Service, printable, progress, redact,
};

use super::Promotion;
use crate::failure::{Evidence, Failure};

impl Promotion<'_> {
    pub(super) fn update(
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
    pub(super) fn create(&self, candidate: &Service, recipe: &Recipe) -> Result<Service, Failure> {
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
        let part = part.trim_start_matches('-');
        Err(Failure::NotVerified(format!("its {part}")))
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
}
