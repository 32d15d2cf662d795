//! What the next release has as the live container has it, where the caller does not say.

mod kinds;
mod limits;
mod merge;
mod mount;
mod read_back;
mod table;

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::engine::image::Image;
use step::model::run_options::flags;
use step::ownership::marks::{image_of, recipe_of};
use step::ownership::way_back::Found;
use step::recipe::Recipe;
use step::recipe::values::{Given, Values};
use step::terminal::warn;
use step::text::printable;

use crate::failure::Failure;
use merge::{names, over, without_given};
use read_back::ReadBack;

/// The run options of a candidate, with their values apart.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) recipe: Recipe,
    pub(crate) values: Values,
    /// Env files that do not exist any more, whose values are among the others.
    pub(crate) gone: Vec<String>,
    /// The names whose values the live container has lent.
    pub(crate) from_live: Vec<String>,
    /// The names of options of the live container that the candidate does not have.
    pub(crate) not_carried: Vec<String>,
    /// The same of those that nobody gave.
    pub(crate) missed: Vec<String>,
}

/// What a podman container ends within that nobody gave a time.
const PODMANS_GRACE: u64 = 10;
/// More names than a line can bear are in the report only.
const LONGEST_LINE: usize = 1000;

/// The options and the command of `live`, less those that the caller gives.
pub(crate) fn take(
    engine: &Engine,
    live: &Container,
    given: Recipe,
    values: Values,
    found: impl Fn(&Recipe, &Container) -> Result<Found, Failure>,
) -> Result<Options, Failure> {
    let (own, lent, unreadable) = match recipe_of(live) {
        Some(own) => (limits::as_now(own, live), None, Vec::new()),
        None => by_hand(engine, live)?,
    };
    let (kept, replaced) = over(&own, &given)?;
    let found = match lent {
        // With what stands among the options, nothing is anywhere else.
        Some(mut values) => {
            values.env.retain(|name, _| kept.values.contains_key(name));
            Found {
                from_live: kept.values.keys().cloned().collect(),
                values,
                ..Found::default()
            }
        }
        None => found(&kept, live)?,
    };
    let mut all = found.values;
    all.env.retain(|name, _| !given.values.contains_key(name));
    all.env.extend(values.env);
    all.log.extend(values.log);
    let not_carried = [unreadable, replaced].concat();
    tell(live, &not_carried, "cannot be carried over", "");
    Ok(Options {
        recipe: with(kept, given),
        values: all,
        gone: found.gone,
        from_live: found.from_live,
        not_carried,
        missed: Vec::new(),
    })
}

/// What the caller gives goes before it, and stands behind it.
fn with(kept: Recipe, given: Recipe) -> Recipe {
    let command = if given.command.is_empty() {
        kept.command
    } else {
        given.command
    };
    let mut values = kept.values;
    values.extend(given.values);
    Recipe {
        options: [kept.options, given.options].concat(),
        values,
        command,
        folder: kept.folder,
        probe: given.probe.or(&kept.probe),
        ..Recipe::default()
    }
}

/// Of one that the steps have not made: a recipe, the values of its options, and what cannot be had again.
fn by_hand(
    engine: &Engine,
    live: &Container,
) -> Result<(Recipe, Option<Values>, Vec<String>), Failure> {
    let shown = engine
        .shown(&live.id, &live.image)
        .map_err(CommonFailure::from)?;
    let Some((container, image)) = shown else {
        return Err(Failure::LiveImageAbsent {
            live: live.name().to_owned(),
            image: image_of(live),
        });
    };
    let found = ReadBack::of(&container, &image, live);
    let given = Given::of(&found.options);
    let recipe = Recipe {
        options: given.options,
        values: given.sources,
        command: found.command,
        folder: "/".to_owned(),
        ..Recipe::default()
    };
    Ok((recipe, Some(given.values), found.unreadable))
}

/// The names of what a release with the run options `given` does not have of `live`.
pub(crate) fn missed(
    engine: &Engine,
    live: &Container,
    given: &Recipe,
) -> Result<Vec<String>, Failure> {
    let (own, mut missed) = match recipe_of(live) {
        Some(own) => (limits::as_now(own, live), Vec::new()),
        None => match by_hand(engine, live) {
            Ok((own, _, unreadable)) => (own, unreadable),
            // Nothing is known of it, and nothing was asked.
            Err(Failure::LiveImageAbsent { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        },
    };
    let (left, _) = without_given(&own.options, given);
    missed.splice(..0, names(&left));
    let theirs = flags(&given.options).into_iter().map(|it| it.shown());
    let theirs: Vec<String> = theirs.chain(given.options.iter().cloned()).collect();
    missed.retain(|name| !theirs.contains(name));
    // Podman does not show a fixed address, so nothing carries it over.
    let options = flags(&left).into_iter();
    let fixed = options.filter(|it| live.is_podman() && ["ip", "ip6"].contains(&it.name));
    missed.extend(fixed.map(|it| it.shown()));
    if given.command.is_empty() && !own.command.is_empty() {
        missed.push("the command".to_owned());
    }
    Ok(missed)
}

/// Of what is missed, what the candidate has not got all the same, which is said: the engine's client gives proxies to
/// every container, and its daemon options of the log.
pub(crate) fn tell_missed(
    missed: Vec<String>,
    live: &Container,
    created: &Container,
    inherited: &Image,
) -> Vec<String> {
    let (was, is) = (live.variables(), created.variables());
    let has_variable = |name: &str| {
        let now = is.get(name).copied().flatten();
        let by_image = |value: &str| inherited.env().contains(&format!("{name}={value}"));
        now.is_some_and(|value| was.get(name) == Some(&now) || !by_image(value))
    };
    let log = created.host_config.log_options();
    let has = |shown: &String| match shown.split_once(' ') {
        Some(("--env", name)) => has_variable(name),
        Some(("--log-opt", name)) => log.contains_key(name),
        _ => false,
    };
    let missed: Vec<String> = missed.into_iter().filter(|it| !has(it)).collect();
    let more = "; --like-live keeps what can be kept";
    tell(live, &missed, "will be gone", more);
    missed
}

fn tell(live: &Container, names: &[String], what: &str, more: &str) {
    if !names.is_empty() {
        let names = printable(&names.join(", "), LONGEST_LINE);
        let name = live.name();
        warn(&format!("start-candidate: of {name} {what}: {names}{more}"));
    }
}

/// How long the live container may take to end is what its successor may, unless the options say so.
pub(crate) fn keep_stop_timeout(recipe: &mut Recipe, live: &Container) {
    let own = live.config.stop_timeout();
    let own = own.filter(|it| !(live.is_podman() && it.as_u64() == Some(PODMANS_GRACE)));
    let is_given = |options: &[String]| flags(options).iter().any(|it| it.name == "stop-timeout");
    if let Some(seconds) = own.filter(|_| !is_given(&recipe.options)) {
        recipe.options.push(format!("--stop-timeout={seconds}"));
    }
}

impl Options {
    /// Those that the caller has given, and no other.
    pub(crate) fn given(recipe: Recipe, values: Values) -> Self {
        Self {
            recipe,
            values,
            ..Self::default()
        }
    }

    /// Those of a release that was there before.
    pub(crate) fn found(recipe: Recipe, found: Found) -> Self {
        Self {
            recipe,
            values: found.values,
            gone: found.gone,
            from_live: found.from_live,
            ..Self::default()
        }
    }
}
