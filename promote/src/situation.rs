//! Where things stand: which of the four containers exist tells how far a promotion got.

use step::{Container, Engine, EngineError, Names};

/// The containers of one app.
#[derive(Debug)]
pub(crate) struct Situation {
    pub(crate) live: Option<Container>,
    pub(crate) candidate: Option<Container>,
    pub(crate) old: Option<Container>,
    pub(crate) next: Option<Container>,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Nothing has been touched yet.
    Begin,
    /// The live container already has its name `-old`.
    CarryOn,
    /// The new container is proven and named; what is left is clearing away.
    Finish,
}

impl Situation {
    pub(crate) fn read(engine: &Engine, names: &Names) -> Result<Self, EngineError> {
        let mut found = engine.containers(&names.all())?;
        let mut take = |name: &str| {
            let at = found
                .iter()
                .position(|container| container.name() == name)?;
            Some(found.swap_remove(at))
        };
        Ok(Self {
            live: take(&names.live),
            candidate: take(&names.candidate),
            old: take(&names.old),
            next: take(&names.next),
        })
    }

    pub(crate) fn course(&self) -> Course {
        match (&self.old, &self.live) {
            (None, _) => Course::Begin,
            (Some(_), None) => Course::CarryOn,
            (Some(_), Some(_)) => Course::Finish,
        }
    }
}
