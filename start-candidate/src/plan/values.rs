//! The values of the release to go back to, taken from where they still are.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::engine::swarm::service::Service;
use step::ownership::way_back::{Found, Live};
use step::recipe::Recipe;
use step::recipe::values::Filled;
use step::terminal::warn;

use crate::failure::Failure;

/// All that a recipe of another release names, beside `live`.
pub(crate) fn of_container(
    engine: &Engine,
    recipe: &Recipe,
    live: &Container,
) -> Result<Found, Failure> {
    let lender = Live::container(live);
    of(engine, recipe, &lender, (live.name(), Some(&live.image)))
}

/// The same of what `live` itself was made with.
pub(crate) fn of_its_own(
    engine: &Engine,
    recipe: &Recipe,
    live: &Container,
) -> Result<Found, Failure> {
    let lender = Live::container(live).as_model();
    of(engine, recipe, &lender, (live.name(), Some(&live.image)))
}

/// The same of a service, whose variables are all its own, with the names of those that come from it.
pub(crate) fn of_service(
    engine: &Engine,
    recipe: &Recipe,
    live: &Service,
) -> Result<(Filled, Vec<String>), Failure> {
    let found = of(engine, recipe, &Live::service(live), (live.name(), None))?;
    let filled = Filled::new(&recipe.options, &found.values, &found.gone)?;
    Ok((filled, found.from_live))
}

fn of(
    engine: &Engine,
    recipe: &Recipe,
    live: &Live<'_>,
    (name, image): (&str, Option<&str>),
) -> Result<Found, Failure> {
    let mut found = Found::of(recipe, live);
    if !found.missing.is_empty() {
        return Err(Failure::ValuesGone(found.missing));
    }
    if !found.gone.is_empty() {
        let image = image.map(|image| engine.image(image)).transpose();
        let image = image.map_err(CommonFailure::from)?.flatten();
        let env = image.as_ref().map(step::engine::image::Image::env);
        found.fill_from(live, env.unwrap_or_default(), recipe);
    }
    tell(name, &found.from_live);
    Ok(found)
}

/// Whose values were lent, by name.
pub(crate) fn tell(name: &str, lent: &[String]) {
    if !lent.is_empty() {
        let lent = lent.join(", ");
        warn(&format!("start-candidate: as {name} has them now: {lent}"));
    }
}
