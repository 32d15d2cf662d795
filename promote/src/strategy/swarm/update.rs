//! The commands to Swarm: to update the live service to what was verified, or to create it.

use step::engine::cli::Reply;
use step::engine::swarm::service::Service;
use step::model::image_ref::ImageRef;
use step::ownership::marks::{MadeAs, Marks};
use step::ownership::way_back::changed;
use step::recipe::values::Filled;
use step::recipe::{Condition, Previous, Recipe};
use step::terminal::progress;

use super::service::live_now;
use crate::failure::{Evidence, Failure};
use crate::promotion::Promotion;

pub(super) fn apply(
    promotion: &Promotion<'_>,
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
    let labels = marks(promotion, Some(live), candidate, recipe).labels();
    words.extend(
        labels
            .into_iter()
            .map(|label| format!("--label-add={label}")),
    );
    progress(&format!("promote: updating the service {}", live.name()));
    done(live, &promotion.engine.update_service(&live.id, &words)?)?;
    live_now(promotion)
}

/// The first deployment, made of the very words that made the candidate.
pub(super) fn create(
    promotion: &Promotion<'_>,
    candidate: &Service,
    recipe: &Recipe,
) -> Result<Service, Failure> {
    let filled = Filled::like(
        &recipe.options,
        &candidate.variables(),
        &candidate.log_options(),
    )
    .map_err(|why| refused(&why.to_string()))?;
    let words = words(promotion, candidate, recipe, &filled.options);
    progress(&format!(
        "promote: creating the service {}",
        promotion.names.live
    ));
    let engine = &promotion.engine;
    let reply = engine.create_service(&words, &filled.environment, &recipe.folder)?;
    done(candidate, &reply)?;
    let created = live_now(promotion)?;
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

/// All words of the command that creates it, with these options.
fn words(
    promotion: &Promotion<'_>,
    candidate: &Service,
    recipe: &Recipe,
    options: &[String],
) -> Vec<String> {
    let mut words = vec![
        format!("--name={}", promotion.names.live),
        format!("--replicas={}", promotion.args.replicas.unwrap_or(1)),
    ];
    if recipe.publish.is_empty() {
        words.push("--endpoint-mode=dnsrr".to_owned());
    }
    let ports = recipe.publish.iter();
    let ports = ports.map(|it| {
        let (published, target) = (it.host, it.container);
        format!(
            "--publish=published={published},target={target},protocol={}",
            it.protocol.word()
        )
    });
    words.extend(ports);
    words.extend(how(promotion));
    words.extend(marks(promotion, None, candidate, recipe).options());
    words.extend(options.iter().cloned());
    words.push(candidate.image().to_owned());
    words.extend(recipe.command.iter().cloned());
    words
}

/// How Swarm is to replace the tasks.
fn how(promotion: &Promotion<'_>) -> Vec<String> {
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

fn marks(
    promotion: &Promotion<'_>,
    live: Option<&Service>,
    candidate: &Service,
    recipe: &Recipe,
) -> Marks {
    let previous = live.and_then(|live| {
        let previous = previous(live, recipe)?;
        Some(changed(previous, &live.variables(), &candidate.variables()))
    });
    let (app, live) = (promotion.app, promotion.live);
    // It replaces nothing: it is the same service before and after.
    Marks {
        candidate: Some(candidate.id.clone()),
        previous,
        ..Marks::new(app, live, MadeAs::Final, recipe.clone())
    }
}

/// What `start-candidate --previous` would go back to; the same release again replaces nothing.
fn previous(live: &Service, recipe: &Recipe) -> Option<Previous> {
    let marks = Marks::of_service(live);
    let was = marks.as_ref().map(|it| it.recipe.clone());
    if was.as_ref().is_some_and(|was| was.digest == recipe.digest)
        && let Some(earlier) = marks.and_then(|it| it.previous)
    {
        return Some(earlier);
    }
    let (_, digest) = live.image().split_once('@')?;
    let bare = was.is_none().then(|| live.image().parse().ok()).flatten();
    let foreign = bare.map(|image: ImageRef| Recipe {
        image,
        image_id: digest.parse().unwrap_or_default(),
        digest: Some(digest.to_owned()),
        ..Recipe::default()
    });
    let recipe = was.or(foreign);
    recipe.map(|recipe| Previous {
        image: recipe.image.to_string(),
        image_id: recipe.image_id.to_string(),
        recipe: Some(recipe),
        condition: Condition::default(),
    })
}

/// A command that was not refused.
fn done(service: &Service, reply: &Reply) -> Result<(), Failure> {
    if reply.code == Some(0) {
        return Ok(());
    }
    if reply.engine_is_away() {
        return Err(reply.failure().into());
    }
    let said = service.secrets().show(&reply.stderr, 300);
    Err(refused(&said))
}

fn refused(why: &str) -> Failure {
    Failure::NotStarted {
        message: format!("Swarm refused the order: {why}"),
        evidence: Box::new(Evidence::default()),
    }
}
