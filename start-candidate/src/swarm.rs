//! On a swarm: the candidate is a service of one task, made like the live service's tasks.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::swarm::has_ipvs;
use step::engine::swarm::options::sets_flag;
use step::engine::swarm::service::Service;
use step::host::lock::Lock;
use step::model::image_ref::repository;
use step::model::name::{Name, Names};
use step::recipe::{APP_LABEL, Previous, RECIPE_LABEL, Recipe};
use step::terminal::progress;
use step::text::{printable, redact, secrets_of_options};

use crate::args::Args;
use crate::failure::Failure;
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
    let lock = Lock::if_no_promotion(live).map_err(CommonFailure::NoLock)?;
    let _no_promotion = lock.ok_or_else(|| Failure::PromotionRuns(live.to_string()))?;
    let running = engine.service(&names.live)?;
    let recipe = plan(&engine, args, &names, running.as_ref())?;
    make_room(&engine, args, &names, running.as_ref())?;
    progress(&format!(
        "start-candidate: creating the service {} from {}",
        names.candidate, recipe.image
    ));
    let id = create(&engine, app, &names, &recipe, running.as_ref())?;
    progress(&format!("start-candidate: {} is created", names.candidate));
    Ok(Report::of(app, live, &names, id, recipe))
}

fn plan(
    engine: &Engine,
    args: &Args,
    names: &Names,
    live: Option<&Service>,
) -> Result<Recipe, Failure> {
    let (options, command) = args.options_and_command();
    if let Some(flag) = REFUSED.iter().find(|flag| sets_flag(&options, flag)) {
        return Err(Failure::OptionRefused(format!(
            "the options set --{flag}, which the candidate has of its own or promote decides"
        )));
    }
    if !args.publish.is_empty() && !has_ipvs() {
        return Err(Failure::OptionRefused(
            "--publish, because this kernel has no IPVS to lead the port to the tasks; put a proxy on their network instead".to_owned(),
        ));
    }
    let folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let given = Recipe {
        publish: args.publish.clone(),
        options,
        command,
        folder: folder.to_string_lossy().into_owned(),
        deploy_id: args.deploy_id,
        ..Recipe::default()
    };
    let recipe = if args.previous {
        before(args, names, live, given)?
    } else {
        asked(engine, args, given)?
    };
    let handed = live.and_then(Recipe::of_service);
    let handed = handed.map(|recipe| recipe.probe).unwrap_or_default();
    Ok(Recipe {
        probe: args.probe().or(&recipe.probe).or(&handed),
        ..recipe
    })
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
    let earlier = live.and_then(Previous::of_service);
    let earlier = earlier.and_then(|previous| previous.recipe);
    let earlier = earlier.ok_or_else(|| Failure::NoPrevious(names.live.clone()))?;
    // Late jobs stay late.
    let number = live
        .and_then(Recipe::of_service)
        .and_then(|it| it.deploy_id);
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
    names: &Names,
    live: Option<&Service>,
) -> Result<(), Failure> {
    let left_over = engine.service(&names.candidate)?;
    for service in live.into_iter().chain(&left_over) {
        let newer = Recipe::of_service(service).and_then(|it| it.newer_than(args.deploy_id));
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
        Some(_) if !args.replace => Err(Failure::CandidateExists(names.candidate.clone())),
        Some(left_over) => Ok(engine.remove_service(&left_over.id)?),
        None => Ok(()),
    }
}

fn create(
    engine: &Engine,
    app: &Name,
    names: &Names,
    recipe: &Recipe,
    live: Option<&Service>,
) -> Result<String, Failure> {
    let words = words(app, names, recipe, live);
    let reply = engine.create_service(&words, &recipe.folder)?;
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
        let said = redact(&reply.stderr, &secrets_of_options(&recipe.options));
        return Err(Failure::OptionRefused(printable(&said, 300)));
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

fn words(app: &Name, names: &Names, recipe: &Recipe, live: Option<&Service>) -> Vec<String> {
    let mut words = vec![
        format!("--name={}", names.candidate),
        "--replicas=1".to_owned(),
        // No address that the kernel would have to balance.
        "--endpoint-mode=dnsrr".to_owned(),
        // A task that ends is a candidate that failed.
        "--restart-condition=none".to_owned(),
        format!("--label={APP_LABEL}={app}"),
        format!("--label={RECIPE_LABEL}={}", recipe.label()),
    ];
    let inherited = live.map(|live| live.options().inherited(&recipe.options));
    words.extend(inherited.unwrap_or_default());
    words.extend(recipe.options.iter().cloned());
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
            "another image among the options",
        ),
        (
            created.publishes(),
            "published ports (give them with --publish, before the `--`)",
        ),
        (
            created.has_aliases(),
            "a network alias (the candidate would be called before it is verified)",
        ),
        (created.replicas() != Some(1), "another number of tasks"),
    ];
    match found.into_iter().find(|(is, _)| *is) {
        Some((_, what)) => Err(Failure::OptionRefused(format!("the options set {what}"))),
        None => Ok(()),
    }
}
