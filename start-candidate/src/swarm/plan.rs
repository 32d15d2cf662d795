//! What the candidate's service is to be made of.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::swarm::has_ipvs;
use step::engine::swarm::options::sets_flag;
use step::engine::swarm::service::Service;
use step::model::image_ref::repository;
use step::model::name::Names;
use step::model::probe::Probe;
use step::ownership::marks::Marks;
use step::recipe::Recipe;
use step::recipe::values::Values;

use crate::args::Args;
use crate::failure::{Failure, WayOut};
use crate::plan::given;

/// What is promote's business, or would make the candidate something else than one task beside the live ones.
const REFUSED: [&str; 16] = [
    "name",
    "mode",
    "replicas",
    "publish",
    "endpoint-mode",
    "label",
    "detach",
    "quiet",
    "restart-condition",
    "restart-delay",
    "restart-max-attempts",
    "restart-window",
    "update-order",
    "update-failure-action",
    "rollback-order",
    "max-concurrent",
];

/// As asked for, or as the release before the live one was; and the values that were given.
pub(super) fn plan(
    engine: &Engine,
    args: &Args,
    names: &Names,
    live: Option<&Service>,
) -> Result<(Recipe, Option<Values>), Failure> {
    let (given, values) = given(args)?;
    if let Some(flag) = REFUSED.iter().find(|flag| sets_flag(&given.options, flag)) {
        return Err(Failure::refused(
            format!(
                "the options set --{flag}, which the candidate has of its own or promote decides"
            ),
            WayOut::LeaveOut,
        ));
    }
    if !args.publish.is_empty() && !has_ipvs() {
        return Err(Failure::refused(
            "--publish, because this kernel has no IPVS to lead the port to the tasks; put a proxy on their network instead",
            WayOut::LeaveOut,
        ));
    }
    let given = Recipe {
        publish: args.publish.clone(),
        deploy_id: args.deploy_id,
        probe: Probe::default(),
        ..given
    };
    // The earlier release's own have none here.
    let values = (!args.previous || !args.rest.is_empty()).then_some(values);
    let recipe = if args.previous {
        before(args, names, live, given)?
    } else {
        asked(engine, args, given)?
    };
    let handed = live.and_then(Marks::of_service);
    let handed = handed.map(|it| it.recipe.probe).unwrap_or_default();
    let probe = args.probe().or(&recipe.probe).or(&handed);
    Ok((Recipe { probe, ..recipe }, values))
}

/// The image that was asked for, by the digest under which every node can pull it.
fn asked(engine: &Engine, args: &Args, given: Recipe) -> Result<Recipe, Failure> {
    let asked = args.image.clone();
    let asked = asked.ok_or_else(|| CommonFailure::Usage("--image IMAGE is needed".to_owned()))?;
    let wanted = args.image_id.as_ref().unwrap_or(&asked).as_str();
    let image = engine
        .image(wanted)?
        .ok_or_else(|| Failure::ImageAbsent(wanted.to_owned()))?;
    let handed = args.digest_of(&asked);
    let digest = handed.or_else(|| image.digest_in(repository(asked.as_str())));
    if digest.is_none() {
        return Err(Failure::NotPinned(asked));
    }
    Ok(Recipe {
        image: asked,
        image_id: image.id.parse().map_err(CommonFailure::Usage)?,
        digest,
        ..given
    })
}

/// The release that the live one replaced, with what it was made of unless options are given.
fn before(
    args: &Args,
    names: &Names,
    live: Option<&Service>,
    given: Recipe,
) -> Result<Recipe, Failure> {
    let marks = live.and_then(Marks::of_service);
    let number = marks.as_ref().and_then(|it| it.recipe.deploy_id);
    let earlier = marks.and_then(|it| it.previous?.recipe);
    let earlier = earlier.ok_or_else(|| Failure::NoPrevious(names.live.clone()))?;
    // Late jobs stay late.
    let deploy_id = given.deploy_id.or(number);
    Ok(if args.rest.is_empty() {
        Recipe {
            deploy_id,
            ..earlier
        }
    } else {
        Recipe {
            image: earlier.image,
            image_id: earlier.image_id,
            digest: earlier.digest,
            deploy_id,
            ..given
        }
    })
}
