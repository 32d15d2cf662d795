//! A finished swap as a report.

use step::contract::handoff::Handoff;
use step::model::port::Publish;
use step::ownership::way_back::WayBack;
use step::recipe::{Previous, Recipe};

use crate::failure::{Evidence, Failure};
use crate::promotion::Promotion;
use crate::report::{Replaced, Report, Seen};

/// A swap that was done.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) container_id: String,
    pub(crate) recipe: Recipe,
    pub(crate) previous: Option<Previous>,
    pub(crate) way_back: Option<WayBack>,
    pub(crate) seen: Option<Seen>,
    /// The port at which that was.
    pub(crate) watched: Option<Publish>,
    pub(crate) log_kept: Option<bool>,
    pub(crate) volumes_left: Vec<String>,
    pub(crate) left_over: Vec<String>,
}

/// The report of a swap that was done, unless its gap was too long.
pub(crate) fn report(
    promotion: &Promotion<'_>,
    outcome: Outcome,
    carried_on: bool,
) -> Result<Report, Failure> {
    if let Some(failure) = too_long(promotion, &outcome) {
        return Err(failure);
    }
    let Outcome {
        container_id,
        recipe,
        previous,
        way_back,
        seen,
        watched: _,
        log_kept,
        volumes_left,
        left_over,
    } = outcome;
    let named = |it: &Previous| Some(it.recipe.as_ref()?.image.to_string());
    Ok(Report {
        container_id,
        deploy_id: recipe.deploy_id,
        changed: true,
        carried_on,
        replaced: previous.map(|previous| Replaced {
            image: named(&previous).unwrap_or(previous.image),
            image_id: previous.image_id,
        }),
        way_back,
        swap: seen,
        heir: promotion.killed.heir.clone(),
        log_kept,
        volumes_left,
        left_over,
        tasks: Vec::new(),
        handoff: Handoff::of(promotion.app, promotion.live, &recipe),
    })
}

/// A gap that was longer than it may be.
fn too_long(promotion: &Promotion<'_>, outcome: &Outcome) -> Option<Failure> {
    let gap_ms = outcome.seen.as_ref()?.longest_gap_ms;
    let allowed = promotion.args.max_gap?;
    if u128::from(gap_ms) <= allowed.as_millis() {
        return None;
    }
    let evidence = Evidence {
        swap: outcome.seen.clone(),
        ..Evidence::default()
    };
    Some(Failure::GapTooLong {
        live: promotion.names.live.clone(),
        port: outcome.watched.map(|it| it.host_port()).unwrap_or_default(),
        gap_ms,
        allowed,
        evidence: Box::new(evidence),
    })
}
