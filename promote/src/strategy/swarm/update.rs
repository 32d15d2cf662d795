//! The commands to Swarm: to update the live service to what was verified, or to create it.

use step::engine::cli::Reply;
use step::engine::swarm::service::Service;
use step::model::image_ref::ImageRef;
use step::recipe::{
    APP_LABEL, CANDIDATE_LABEL, Condition, PREVIOUS_LABEL, Previous, RECIPE_LABEL, Recipe,
};
use step::terminal::progress;
use step::text::{printable, redact};

use super::service::ServicePromotion;
use crate::failure::{Evidence, Failure};

pub(super) fn apply(
    promotion: &ServicePromotion<'_>,
    live: &Service,
    candidate: &Service,
    recipe: &Recipe,
) -> Result<Service, Failure> {
    if !live.rolls_back_start_first() {
        // The way back is the one that stood there before the update.
        let order = ["--rollback-order=start-first".to_owned()];
        done(live, &promotion.engine.update_service(&live.id, &order)?)?;
    }
    let mut words = vec![format!("--image={}", candidate.image())];
    words.extend(how(promotion));
    words.extend(live.options().changes_to(&candidate.options()));
    words.extend(promotion.args.replicas.map(|n| format!("--replicas={n}")));
    let labels = labels(promotion, candidate, recipe, previous(live, recipe)?);
    words.extend(
        labels
            .into_iter()
            .map(|label| format!("--label-add={label}")),
    );
    progress(&format!("promote: updating the service {}", live.name()));
    done(live, &promotion.engine.update_service(&live.id, &words)?)?;
    promotion.live_now()
}

/// The first deployment, made of the very words that made the candidate.
pub(super) fn create(
    promotion: &ServicePromotion<'_>,
    candidate: &Service,
    recipe: &Recipe,
) -> Result<Service, Failure> {
    let mut words = vec![
        format!("--name={}", promotion.names.live),
        format!("--replicas={}", promotion.args.replicas.unwrap_or(1)),
    ];
    if recipe.publish.is_empty() {
        words.push("--endpoint-mode=dnsrr".to_owned());
    }
    let ports = recipe.publish.iter();
    let ports = ports.map(|it| format!("--publish=published={},target={}", it.host, it.container));
    words.extend(ports);
    words.extend(how(promotion));
    let labels = labels(promotion, candidate, recipe, None);
    words.extend(labels.into_iter().map(|label| format!("--label={label}")));
    words.extend(recipe.options.iter().cloned());
    words.push(candidate.image().to_owned());
    words.extend(recipe.command.iter().cloned());
    progress(&format!(
        "promote: creating the service {}",
        promotion.names.live
    ));
    let reply = promotion.engine.create_service(&words, &recipe.folder)?;
    done(candidate, &reply)?;
    let created = promotion.live_now()?;
    // An env file may have changed since.
    let changed = created.options().changes_to(&candidate.options());
    if changed.is_empty() {
        return Ok(created);
    }
    let _ = promotion.engine.remove_service(&created.id);
    let part = changed[0].split('=').next().unwrap_or_default();
    let part = part.trim_start_matches('-');
    Err(Failure::NotVerified(format!("its {part}")))
}

/// How Swarm is to replace the tasks.
fn how(promotion: &ServicePromotion<'_>) -> Vec<String> {
    let args = promotion.args;
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
    promotion: &ServicePromotion<'_>,
    candidate: &Service,
    recipe: &Recipe,
    previous: Option<Previous>,
) -> Vec<String> {
    let mut labels = vec![
        format!("{APP_LABEL}={}", promotion.app),
        format!("{RECIPE_LABEL}={}", recipe.label()),
        format!("{CANDIDATE_LABEL}={}", candidate.id),
    ];
    labels.extend(previous.map(|it| format!("{PREVIOUS_LABEL}={}", it.label())));
    labels
}

/// What `start-candidate --previous` would go back to; the same release again replaces nothing.
fn previous(live: &Service, recipe: &Recipe) -> Result<Option<Previous>, Failure> {
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

/// A command that was not refused.
fn done(service: &Service, reply: &Reply) -> Result<(), Failure> {
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
