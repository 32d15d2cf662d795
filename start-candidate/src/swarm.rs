//! On a swarm: the candidate is a service of one task, made like the live service's tasks.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::complaint::refusal;
use step::engine::swarm::has_ipvs;
use step::engine::swarm::options::sets_flag;
use step::engine::swarm::service::Service;
use step::model::image_ref::repository;
use step::model::name::Names;
use step::model::probe::Probe;
use step::ownership::Owned;
use step::ownership::marks::{MadeAs, Marks};
use step::recipe::Recipe;
use step::recipe::values::{Filled, Values, secrets_of_options};
use step::terminal::progress;

use crate::args::Args;
use crate::failure::{Failure, WayOut};
use crate::plan::{given, values};
use crate::report::Report;

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

pub(crate) fn run(args: &Args) -> Result<Report, Failure> {
    let (app, live, names) = args.identity.known().map_err(CommonFailure::Usage)?;
    let engine = Engine::find(&args.common.engine)?;
    engine.manager()?;
    let lock = engine.lock_if_no_promotion(live)?;
    let lock = lock.ok_or_else(|| Failure::PromotionRuns(live.to_string()))?;
    let engine = engine.holding(&lock);
    let found = Owned::read_services(&engine, app, live).map_err(CommonFailure::from)?;
    let running = found.live;
    let (recipe, values) = plan(&engine, args, &names, running.as_ref())?;
    let (mut filled, from_live) = match (&values, &running) {
        (Some(values), _) => (Filled::new(&recipe.options, values, &[])?, Vec::new()),
        (None, Some(live)) => values::of_service(&engine, &recipe, live)?,
        (None, None) => return Err(Failure::NoPrevious(names.live.clone())),
    };
    make_room(&engine, args, running.as_ref(), found.candidate)?;
    progress(&format!(
        "start-candidate: creating the service {} from {}",
        names.candidate, recipe.image
    ));
    let marks = Marks {
        replaces: running.as_ref().map(|live| live.id.clone()),
        ..Marks::new(app, live, MadeAs::Candidate, recipe.clone())
    };
    let inherited = running
        .as_ref()
        .map(|live| live.options().inherited(&recipe.options));
    let inherited = filled.environment.take(&inherited.unwrap_or_default());
    filled.options.splice(..0, inherited);
    let id = create(&engine, &names, &marks, &filled, running.as_ref())?;
    progress(&format!("start-candidate: {} is created", names.candidate));
    Ok(Report {
        values_from_live: from_live,
        ..Report::of(app, live, &names, id, recipe)
    })
}

fn plan(
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

/// Not beside a newer deployment; and in nobody's place, unless it may be replaced.
fn make_room(
    engine: &Engine,
    args: &Args,
    live: Option<&Service>,
    left_over: Option<Service>,
) -> Result<(), Failure> {
    for service in live.into_iter().chain(&left_over) {
        let newer = Marks::of_service(service).and_then(|it| it.recipe.newer_than(args.deploy_id));
        if let Some((deploy_id, newer)) = args.deploy_id.zip(newer) {
            let container = service.name().to_owned();
            return Err(Failure::Outdated {
                container,
                newer,
                deploy_id,
            });
        }
    }
    match left_over {
        Some(left_over) if !args.replace => {
            Err(Failure::CandidateExists(left_over.name().to_owned()))
        }
        Some(left_over) => Ok(engine.remove_service(&left_over.id)?),
        None => Ok(()),
    }
}

fn create(
    engine: &Engine,
    names: &Names,
    marks: &Marks,
    filled: &Filled,
    live: Option<&Service>,
) -> Result<String, Failure> {
    let recipe = &marks.recipe;
    let words = words(names, marks, filled, live);
    let reply = engine.create_service(&words, &filled.environment, &recipe.folder)?;
    if reply.code != Some(0) {
        if reply.engine_is_away() {
            return Err(reply.failure().into());
        }
        if reply
            .stderr
            .contains("name conflicts with an existing object")
        {
            return Err(Failure::CandidateExists(names.candidate.clone()));
        }
        let secrets = secrets_of_options(&filled.options, &recipe.command);
        let said = refusal(&reply.stderr, &filled.options, &recipe.folder, &secrets);
        return Err(said.into());
    }
    let created = engine.service(&names.candidate)?;
    let created = created.ok_or_else(|| Failure::Vanished(names.candidate.clone()))?;
    if let Err(refused) = allowed(&created, recipe) {
        // The refusal is what the caller must hear of.
        let _ = engine.remove_service(&created.id);
        return Err(refused);
    }
    Ok(created.id)
}

fn words(names: &Names, marks: &Marks, filled: &Filled, live: Option<&Service>) -> Vec<String> {
    let recipe = &marks.recipe;
    let mut words = vec![
        format!("--name={}", names.candidate),
        "--replicas=1".to_owned(),
        // No address that the kernel would have to balance.
        "--endpoint-mode=dnsrr".to_owned(),
        // A task that ends is a candidate that failed.
        "--restart-condition=none".to_owned(),
    ];
    words.extend(marks.options());
    words.extend(filled.options.iter().cloned());
    words.extend(recipe.pinned());
    match (&recipe.command[..], live) {
        ([], Some(live)) => words.extend(live.options().command()),
        (command, _) => words.extend(command.iter().cloned()),
    }
    words
}

/// Seen on the service and not guessed from its options.
fn allowed(created: &Service, recipe: &Recipe) -> Result<(), Failure> {
    let found = [
        (
            Some(created.image()) != recipe.pinned().as_deref(),
            "another image",
            WayOut::Image,
        ),
        (created.publishes(), "published ports", WayOut::Publish),
        (
            created.has_aliases(),
            "a network alias (the candidate would be called before it is verified)",
            WayOut::LeaveOut,
        ),
        (
            created.replicas() != Some(1),
            "another number of tasks",
            WayOut::LeaveOut,
        ),
    ];
    match found.into_iter().find(|(is, _, _)| *is) {
        Some((_, what, way)) => Err(Failure::refused(format!("the options set {what}"), way)),
        None => Ok(()),
    }
}
