//! What an app has, as the engine is asked for it.

use thiserror::Error;

use super::marks::{APP, Marks, PREFIX};
use super::{NotOurs, Owned};
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::error::EngineError;
use crate::engine::swarm::service::Service;
use crate::model::name::{Name, Names};

/// Why it cannot be told what an app has.
#[derive(Debug, Error)]
pub enum Unknown {
    /// The engine cannot be asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something is not the app's.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
}

impl Owned<Container> {
    /// What the engine has under the names of the app's live container `live`.
    ///
    /// # Errors
    /// When the engine cannot be asked, or a name is taken by somebody else's container.
    pub fn read(engine: &Engine, app: &Name, live: &Name) -> Result<Self, Unknown> {
        Self::read_some(engine, app, live, &Names::of(live).all())
    }

    /// The same of some of the names only.
    ///
    /// # Errors
    /// As [`Owned::read`].
    pub fn read_some(
        engine: &Engine,
        app: &Name,
        live: &Name,
        names: &[&str],
    ) -> Result<Self, Unknown> {
        Self::judged(engine, app, live, engine.containers(names)?)
    }

    /// The container with this full id, whatever it is, and what the app has live and had before.
    ///
    /// # Errors
    /// As [`Owned::read`].
    pub fn read_beside(
        engine: &Engine,
        app: &Name,
        live: &Name,
        id: &str,
    ) -> Result<(Option<Container>, Self), Unknown> {
        let names = Names::of(live);
        let mut found = engine.containers(&[id, &names.live, &names.old])?;
        let at = found.iter().position(|it| it.id == id);
        let it = at.map(|at| found.swap_remove(at));
        Ok((it, Self::judged(engine, app, live, found)?))
    }

    fn judged(
        engine: &Engine,
        app: &Name,
        live: &Name,
        mut found: Vec<Container>,
    ) -> Result<Self, Unknown> {
        for container in found.iter_mut().filter(|it| it.name() == live.as_str()) {
            forget_inherited(engine, container)?;
        }
        Ok(Self::among(app, live, found)?)
    }
}

impl Owned<Service> {
    /// What the swarm has under those names; no service is ever called `-old` or `-next`.
    ///
    /// # Errors
    /// When the engine cannot be asked, or a name is taken by somebody else's service.
    pub fn read_services(engine: &Engine, app: &Name, live: &Name) -> Result<Self, Unknown> {
        let names = Names::of(live);
        let mut found = Vec::new();
        for name in [&names.live, &names.candidate] {
            found.extend(engine.service(name)?);
        }
        Ok(Self::among(app, live, found)?)
    }
}

/// Takes labels of ours from a container that the steps have not made, where its image has the same.
fn forget_inherited(engine: &Engine, container: &mut Container) -> Result<(), EngineError> {
    let is_claimed = container.config.labels.contains_key(APP);
    if !is_claimed || Marks::of(container).is_some() {
        return Ok(());
    }
    let image = engine.image(&container.image)?;
    let inherited = |name: &str, value: &str| {
        let image = image.as_ref().and_then(|image| image.label(name));
        name.starts_with(PREFIX) && image == Some(value)
    };
    let labels = &mut container.config.labels;
    labels.retain(|name, value| !inherited(name, value));
    Ok(())
}
