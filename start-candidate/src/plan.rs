//! What the candidate is to be: the flags first, then what the previous release or the live container had.

use std::net::Ipv4Addr;

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::engine::image::Image;
use step::model::image_ref::{ImageRef, repository};
use step::model::name::Names;
use step::model::port::Publish;
use step::recipe::{Previous, Recipe};

use crate::args::Args;
use crate::failure::Failure;

/// A candidate before it exists.
pub(crate) struct Plan {
    pub(crate) recipe: Recipe,
    /// What it is to replace, where no port is published: then promote may put the candidate itself live.
    pub(crate) replaces: Option<Previous>,
    /// The container's ports that get an ephemeral port on the host's loopback address.
    pub(crate) loopback: Vec<u16>,
}

pub(crate) fn plan(engine: &Engine, args: &Args, names: &Names) -> Result<Plan, Failure> {
    let needs_live = args.previous || args.publish.is_empty();
    let live = if needs_live {
        engine.container(&names.live)?
    } else {
        None
    };
    let previous = live
        .as_ref()
        .filter(|_| args.previous)
        .and_then(Previous::of);
    let (asked, id) = wanted(args, names, previous.as_ref())?;
    let wanted = id.as_ref().unwrap_or(&asked).as_str();
    let earlier = previous.and_then(|previous| previous.recipe);
    let publish = match (&args.publish[..], &earlier, &live) {
        ([], Some(earlier), _) => earlier.publish.clone(),
        ([], None, Some(live)) => published(live),
        (given, ..) => given.to_vec(),
    };
    // An engine may have forgotten by which it came.
    let known = earlier.as_ref().and_then(|earlier| earlier.digest.clone());
    let known = known.or_else(|| args.digest_of(&asked));
    let rest = options(args, earlier);
    let image = engine
        .image_for(wanted, platform(&rest.options))?
        .ok_or_else(|| Failure::ImageAbsent(wanted.to_owned()))?;
    let recipe = Recipe {
        digest: known.or_else(|| image.digest_in(repository(asked.as_str()))),
        image: asked,
        image_id: image.id.parse().map_err(CommonFailure::Usage)?,
        publish,
        // Gone back by hand, a release stands where the one it takes back stood: late jobs stay late.
        deploy_id: args.deploy_id.or_else(|| taken_back(args, live.as_ref())),
        ..rest
    };
    let goes_live = live.as_ref().filter(|_| recipe.publish.is_empty());
    Ok(Plan {
        replaces: goes_live.map(|live| Previous::replaced(&recipe, live)),
        loopback: loopback(&recipe, &image),
        recipe,
    })
}

/// What the live container publishes. Podman chooses the loopback port of a candidate at its creation, and says
/// the same of it as of one that was asked for: it is nothing to publish again when the candidate itself is live.
fn published(live: &Container) -> Vec<Publish> {
    let mut ports = live.host_config.published();
    if let Some(recipe) = Recipe::of(live).filter(|_| live.is_podman()) {
        let loopback = Some(Ipv4Addr::LOCALHOST.into());
        ports.retain(|port| port.address != loopback || recipe.publish.contains(port));
    }
    ports
}

fn taken_back(args: &Args, live: Option<&Container>) -> Option<u64> {
    let live = live.filter(|_| args.previous)?;
    Recipe::of(live)?.deploy_id
}

/// The image as it is named, and its id where the name may mean another one by now.
fn wanted(
    args: &Args,
    names: &Names,
    previous: Option<&Previous>,
) -> Result<(ImageRef, Option<ImageRef>), Failure> {
    if !args.previous {
        let asked = args.image.clone();
        let asked =
            asked.ok_or_else(|| CommonFailure::Usage("--image IMAGE is needed".to_owned()))?;
        return Ok((asked, args.image_id.clone()));
    }
    let previous = previous.ok_or_else(|| Failure::NoPrevious(names.live.clone()))?;
    let id: ImageRef = previous.image_id.parse().map_err(CommonFailure::Usage)?;
    let recipe = previous.recipe.as_ref().map(|recipe| recipe.image.clone());
    let named = recipe.or_else(|| previous.image.parse().ok());
    Ok((named.unwrap_or_else(|| id.clone()), Some(id)))
}

/// The platform that the container is created for, by its run options.
fn platform(options: &[String]) -> Option<&str> {
    let mut words = options.iter();
    let mut found = None;
    while let Some(word) = words.next() {
        found = match word.split_once('=') {
            Some(("--platform", value)) => Some(value),
            _ if word == "--platform" => words.next().map(String::as_str),
            _ => found,
        };
    }
    found
}

/// Options, command and probe: those given, else all of the earlier release's.
fn options(args: &Args, earlier: Option<Recipe>) -> Recipe {
    let folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let (options, command) = args.options_and_command();
    let given = Recipe {
        options,
        command,
        folder: folder.to_string_lossy().into_owned(),
        probe: args.probe(),
        ..Recipe::default()
    };
    match earlier {
        Some(earlier) if args.rest.is_empty() => Recipe {
            probe: given.probe.or(&earlier.probe),
            ..earlier
        },
        Some(earlier) => Recipe {
            probe: given.probe.clone().or(&earlier.probe),
            ..given
        },
        None => given,
    }
}

/// The ports to publish and to probe, else the image's only exposed one.
fn loopback(recipe: &Recipe, image: &Image) -> Vec<u16> {
    let published = recipe
        .publish
        .iter()
        .map(|publish: &Publish| publish.container);
    let mut ports: Vec<u16> = published.chain(recipe.probe.port).collect();
    if let ([], [only]) = (&ports[..], &image.exposed()[..]) {
        ports.push(*only);
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}
