//! Whose a container or a service is.
//!
//! A name proves nothing: another app may be called `web-next`, and a person may keep a `web-old`. What the steps
//! make has labels that say so ([`marks`]), and the replaced container is known by its id. Everything else under an
//! app's four names is somebody else's, and every step leaves it alone. Only the live name may belong to a container
//! that a person started: it is taken over.

pub mod keeper;
pub mod marks;
pub mod read;
pub mod way_back;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::error::EngineError;
use crate::engine::swarm::service::Service;
use crate::model::name::{Name, Names};
use crate::text::printable;
use marks::{APP, LABEL, MadeAs, Marks};

/// What is found under an app's names on one engine.
pub trait Marked {
    /// Its name.
    fn name(&self) -> &str;
    /// Its full id.
    fn id(&self) -> &str;
    /// What the steps said of it when they made it.
    fn marks(&self) -> Option<Marks>;
    /// Its labels.
    fn labels(&self) -> &BTreeMap<String, String>;
}

impl Marked for Container {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn marks(&self) -> Option<Marks> {
        Marks::of(self)
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.config.labels
    }
}

impl Marked for Service {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn marks(&self) -> Option<Marks> {
        Marks::of_service(self)
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        Self::labels(self)
    }
}

/// A name that is taken by what is not the app's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the name {name} is taken by something that is not the app's ({id}); nothing of it was touched"
)]
pub struct NotOurs {
    name: String,
    id: String,
    /// The other app that its name and its label name, where it is in the place of what is live.
    app: Option<String>,
}

impl NotOurs {
    /// The way out.
    pub fn hint(&self) -> String {
        match &self.app {
            Some(app) => format!(
                "its label says app={}: give that --app, rename it, or deploy under another name with --container",
                printable(app, 100)
            ),
            None => {
                "rename what has the name, or deploy under another one with --container".to_owned()
            }
        }
    }
}

/// What an app has under its four names, each proven to be its own.
#[derive(Debug)]
pub struct Owned<T> {
    /// What is live: the app's, or a person's and taken over.
    pub live: Option<T>,
    /// What is to be verified.
    pub candidate: Option<T>,
    /// What was live before this promotion.
    pub old: Option<T>,
    /// What is about to be live.
    pub next: Option<T>,
}

impl<T: Marked> Owned<T> {
    /// Parts what was `found` under the names of the app's live container `live`.
    ///
    /// # Errors
    /// The first that is not the app's.
    pub fn among(app: &Name, live: &Name, mut found: Vec<T>) -> Result<Self, NotOurs> {
        let names = Names::of(live);
        let mut take = |name: &str| {
            let at = found.iter().position(|it| it.name() == name)?;
            Some(found.swap_remove(at))
        };
        let (old, next) = (take(&names.old), take(&names.next));
        let (running, candidate) = (take(&names.live), take(&names.candidate));
        let claimed = running.as_ref().and_then(|it| claimed_by(it, app));
        let made_as = |it: &T, wanted: MadeAs| {
            let marks = it.marks();
            marks.is_some_and(|it| it.made_as == wanted && it.app == *app && it.of == *live)
        };
        let all = Self {
            candidate: checked(candidate, |it| made_as(it, MadeAs::Candidate))?,
            next: checked(next, |it| made_as(it, MadeAs::Final))?,
            live: checked(running, |it| may_be_live(it, app))
                .map_err(|it| NotOurs { app: claimed, ..it })?,
            old: None,
        };
        let replaces = |it: &Option<T>, id: &str| {
            let marks = it.as_ref().and_then(Marked::marks);
            marks.is_some_and(|it| it.replaces.as_deref() == Some(id))
        };
        let is_alone = all.next.is_none() && all.candidate.is_none();
        let was_live = |old: &T| {
            let marks = old.marks();
            marks.is_some_and(|it| it.app == *app && it.of == *live)
        };
        // Beside a live one, only what replaced it tells which one that was. The last of an app that is left under any of
        // its names is what a promotion has left whose candidate is gone: it gets its name back.
        let is_replaced = |old: &T| match all.live {
            Some(_) => replaces(&all.live, old.id()),
            None if is_alone => was_live(old),
            None => replaces(&all.next, old.id()) || replaces(&all.candidate, old.id()),
        };
        let old = checked(old, is_replaced)?;
        Ok(Self { old, ..all })
    }

    /// That of this name.
    pub fn named(self, name: &str) -> Option<T> {
        let all = [self.live, self.candidate, self.old, self.next];
        all.into_iter().flatten().find(|it| it.name() == name)
    }
}

/// The app's own, or what a person started; not what was made for another name and has not got it yet.
fn may_be_live<T: Marked>(it: &T, app: &Name) -> bool {
    let Some(marks) = it.marks() else {
        return claims(it).all(|claimed| claimed == app.as_str());
    };
    let others = Names::of(&marks.of);
    let is_unfinished = [&others.candidate, &others.next, &others.old].contains(&&it.name().into());
    marks.app == *app && !is_unfinished
}

/// The apps that labels name: ours, and the one of an app's images, where name and label agree. A label alone may be any
/// group's.
fn claims<T: Marked>(it: &T) -> impl Iterator<Item = &String> {
    let own = it.labels().get(APP).filter(|claimed| !claimed.is_empty());
    own.into_iter().chain(named_alike(it))
}

fn named_alike<T: Marked>(it: &T) -> Option<&String> {
    it.labels().get(LABEL).filter(|label| *label == it.name())
}

/// The other app that something is called after which no step has made.
fn claimed_by<T: Marked>(it: &T, app: &Name) -> Option<String> {
    let label = named_alike(it).filter(|_| it.marks().is_none());
    label.filter(|it| *it != app.as_str()).cloned()
}

fn checked<T: Marked>(it: Option<T>, is_ours: impl Fn(&T) -> bool) -> Result<Option<T>, NotOurs> {
    match it {
        Some(it) if !is_ours(&it) => Err(NotOurs {
            name: it.name().to_owned(),
            id: it.id().to_owned(),
            app: None,
        }),
        ours => Ok(ours),
    }
}

/// Removes an app's candidate. It ends by itself before, as nothing tells whether it has served: a rollback leaves one that
/// has, and it may work on what it has accepted.
///
/// # Errors
/// When the engine does not remove it.
pub fn remove_candidate(engine: &Engine, candidate: &Container) -> Result<(), EngineError> {
    if candidate.state.up() {
        // What it cannot end by itself is ended below.
        let _ = engine.stop(&candidate.id, candidate.config.bounded_grace());
    }
    engine.remove_with_volumes(&[&candidate.id])
}
