//! What the candidate is to be: the flags first, then what the previous release or the live container had.

pub(crate) mod values;

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::engine::image::Image;
use step::model::image_ref::{ImageRef, repository};
use step::model::name::{Name, Names};
use step::model::places::mode;
use step::model::port::Publish;
use step::model::run_options::has_operand;
use step::ownership::marks::{MadeAs, Marks, previous_of, recipe_of};
use step::ownership::way_back::{RUN_OPTIONS, replaced};
use step::recipe::values::{Filled, Given, Values, Variables};
use step::recipe::{Previous, Recipe};

use crate::args::Args;
use crate::failure::{Failure, WayOut};
use crate::like_live::{self, Options};
use crate::loopback::{Loopback, loopback};

/// A candidate before it exists.
pub(crate) struct Plan {
    pub(crate) recipe: Recipe,
    /// What its image is called, as a list of containers shows it.
    pub(crate) image: String,
    /// The id of the container that is live.
    pub(crate) replaces: Option<String>,
    /// Its release, where no port is published: then promote may put the candidate itself live.
    pub(crate) previous: Option<Previous>,
    /// The container's ports that get an ephemeral port on loopback.
    pub(crate) loopback: Vec<Loopback>,
    /// The recipe's options with their values.
    pub(crate) filled: Filled,
    /// The names whose values the live container has lent.
    pub(crate) from_live: Vec<String>,
    /// The names of what the live container has and the candidate has not.
    pub(crate) not_carried: Vec<String>,
    /// The same of what nobody gave, as far as the candidate does not have it by itself.
    pub(crate) missed: Vec<String>,
    /// What the candidate has by its image.
    pub(crate) inherited: Image,
}

impl Plan {
    /// What its container says of itself.
    pub(crate) fn marks(&self, app: &Name, live: &Name) -> Marks {
        Marks {
            replaces: self.replaces.clone(),
            previous: self.previous.clone(),
            ..Marks::new(app, live, MadeAs::Candidate, self.recipe.clone())
        }
    }
}

pub(crate) fn plan(
    engine: &Engine,
    args: &Args,
    names: &Names,
    live: Option<&Container>,
) -> Result<Plan, Failure> {
    let previous = live.filter(|_| args.previous).and_then(previous_of);
    let (asked, id) = wanted(args, names, previous.as_ref())?;
    let wanted = id.as_ref().unwrap_or(&asked).as_str();
    let earlier = previous.and_then(|previous| previous.recipe);
    let publish = publish(args, earlier.as_ref(), live)?;
    // An engine may have forgotten by which it came.
    let known = earlier.as_ref().and_then(|earlier| earlier.digest.clone());
    let known = known.or_else(|| args.digest_of(&asked));
    let mut chosen = options(engine, args, earlier, live)?;
    if let Some(live) = live.filter(|_| !args.previous) {
        like_live::keep_stop_timeout(&mut chosen.recipe, live);
    }
    let Options {
        recipe: rest,
        values,
        gone,
        from_live,
        not_carried,
        missed,
    } = chosen;
    let image = engine.image_for(wanted, platform(&rest.options))?;
    let image = image.ok_or_else(|| Failure::ImageAbsent(wanted.to_owned()))?;
    let recipe = Recipe {
        digest: known.or_else(|| image.digest_in(repository(asked.as_str()))),
        image: asked,
        image_id: image.id.parse().map_err(CommonFailure::Usage)?,
        publish,
        // Gone back by hand, a release stands where the one it takes back stood: late jobs stay late.
        deploy_id: args.deploy_id.or_else(|| taken_back(args, live)),
        ..rest
    };
    let goes_live = live.filter(|_| recipe.publish.is_empty());
    let filled = Filled::new(&recipe.options, &values, &gone)?;
    Ok(Plan {
        replaces: live.map(|live| live.id.clone()),
        previous: goes_live.map(|live| {
            let own = variables(&values, live, &from_live);
            replaced(&recipe, live, &own)
        }),
        loopback: loopback(engine, &recipe, &image, live),
        image: image.called(&recipe.image, recipe.digest.as_deref()),
        filled,
        from_live,
        not_carried,
        missed,
        inherited: image,
        recipe,
    })
}

/// Those of the candidate by name: given, or lent by the live container.
fn variables<'a>(values: &'a Values, live: &'a Container, lent: &[String]) -> Variables<'a> {
    let is_lent = |name: &str| lent.iter().any(|it| it == name);
    let mut all = live.variables();
    all.retain(|name, _| is_lent(name));
    let given = values.env.iter();
    all.extend(given.map(|(name, value)| (name.as_str(), Some(value.as_str()))));
    all
}

/// The ports that are given, else those of the release to go back to, else those of the live container.
fn publish(
    args: &Args,
    earlier: Option<&Recipe>,
    live: Option<&Container>,
) -> Result<Vec<Publish>, Failure> {
    match (&args.publish[..], earlier, live) {
        ([], Some(earlier), _) => Ok(earlier.publish.clone()),
        ([], None, Some(live)) => published(live, args),
        (given, ..) => Ok(given.to_vec()),
    }
}

/// What the live container publishes. One that the steps made says what they were told: its own port on loopback is
/// nothing to publish. Of any other one the engine says it. One on the host's network publishes nothing: the caller says
/// by a port or a network where the next release is called.
fn published(live: &Container, args: &Args) -> Result<Vec<Publish>, Failure> {
    let says_where = || mode(&args.options_and_command().0).is_some();
    match recipe_of(live) {
        Some(recipe) => Ok(recipe.publish),
        None if live.host_config.is_on_hosts_network() && !says_where() => {
            Err(Failure::OnHostsNetwork(live.name().to_owned()))
        }
        None => live.published().map_err(|port| Failure::PortUnknown {
            live: live.name().to_owned(),
            port,
        }),
    }
}

fn taken_back(args: &Args, live: Option<&Container>) -> Option<u64> {
    let live = live.filter(|_| args.previous)?;
    recipe_of(live)?.deploy_id
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

/// Options, command and probe: those given, with their values, else all of the earlier release's, or what the live
/// container has besides.
fn options(
    engine: &Engine,
    args: &Args,
    earlier: Option<Recipe>,
    live: Option<&Container>,
) -> Result<Options, Failure> {
    let own = |recipe: &Recipe, live: &Container| values::of_its_own(engine, recipe, live);
    let (given, values) = given(args)?;
    Ok(match (earlier, live) {
        (Some(earlier), Some(live)) if args.rest.is_empty() => {
            let probe = given.probe.or(&earlier.probe);
            let earlier = Recipe { probe, ..earlier };
            let found = values::of_container(engine, &earlier, live)?;
            Options::found(earlier, found)
        }
        (Some(earlier), _) => {
            let probe = given.probe.clone().or(&earlier.probe);
            Options::given(Recipe { probe, ..given }, values)
        }
        (None, Some(live)) if args.like_live => like_live::take(engine, live, given, values, own)?,
        (None, _) if args.previous && args.rest.is_empty() => {
            return Err(Failure::ValuesGone(vec![RUN_OPTIONS.to_owned()]));
        }
        // Whoever gives options to what the steps have made has left out the others.
        (None, Some(live))
            if !args.previous && (!args.has_options() || recipe_of(live).is_none()) =>
        {
            let missed = like_live::missed(engine, live, &given)?;
            Options {
                missed,
                ..Options::given(given, values)
            }
        }
        (None, _) => Options::given(given, values),
    })
}

/// What the caller has given, with the values of its options apart.
pub(crate) fn given(args: &Args) -> Result<(Recipe, Values), Failure> {
    let folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let (options, command) = args.options_and_command();
    if has_operand(&options) {
        return Err(Failure::refused(
            "one of the run options is no option and no option's value",
            WayOut::Image,
        ));
    }
    let given = Given::of(&options);
    let recipe = Recipe {
        options: given.options,
        values: given.sources,
        command,
        folder: folder.to_string_lossy().into_owned(),
        probe: args.probe(),
        ..Recipe::default()
    };
    Ok((recipe, given.values))
}
