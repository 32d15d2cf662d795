//! The candidate's place: whether it may be taken, and what is stale in it.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::host::lock::Lock;
use step::model::name::{Name, Names};
use step::ownership::marks::Marks;
use step::ownership::{Marked, Owned, remove_candidate};
use step::terminal::progress;

use crate::args::Args;
use crate::failure::Failure;
use crate::half_made::{self, STEP};

/// A place that may be taken.
pub(crate) struct Slot {
    pub(crate) live: Option<Container>,
    candidate: Option<Container>,
    /// No promotion may begin with what is removed from it, or with what is not made yet.
    lock: Lock,
}

impl Slot {
    /// Looks who is there.
    pub(crate) fn look(
        engine: &Engine,
        args: &Args,
        app: &Name,
        live: &Name,
        names: &Names,
    ) -> Result<Self, Failure> {
        // Under the lock nobody else makes or replaces a candidate either.
        let lock = no_promotion_runs(engine, live);
        let found = Owned::read(engine, app, live).map_err(CommonFailure::from)?;
        let all = [&found.live, &found.candidate, &found.old, &found.next];
        not_outdated(args, all.into_iter().flatten())?;
        let lock = lock?;
        if found.old.is_some() {
            return Err(Failure::Unfinished(names.old.clone()));
        }
        Ok(Self {
            live: found.live,
            candidate: found.candidate,
            lock,
        })
    }

    /// Removes what is stale in it, and returns the lock under which it is to be filled.
    pub(crate) fn clear(
        self,
        engine: &Engine,
        args: &Args,
        marks: &Marks,
    ) -> Result<Lock, Failure> {
        if let Some(stale) = &self.candidate {
            let name = stale.name();
            let is_own = || half_made::is_own(stale, marks, self.lock.unfinished(STEP).as_ref());
            if !args.replace && !is_own() {
                return Err(Failure::CandidateExists(name.to_owned()));
            }
            progress(&format!("start-candidate: removing the stale {name}"));
            remove_candidate(engine, stale)?;
        }
        Ok(self.lock)
    }
}

/// Not beside a newer deployment, nor in its candidate's place.
pub(crate) fn not_outdated<'a, T: Marked + 'a>(
    args: &Args,
    all: impl Iterator<Item = &'a T>,
) -> Result<(), Failure> {
    let mut newer = all.filter_map(|it| {
        Some(Failure::Outdated {
            container: it.name().to_owned(),
            newer: it.marks()?.recipe.newer_than(args.deploy_id)?,
            deploy_id: args.deploy_id?,
        })
    });
    newer.next().map_or(Ok(()), Err)
}

/// The lock of promotions, unless one runs.
pub(crate) fn no_promotion_runs(engine: &Engine, live: &Name) -> Result<Lock, Failure> {
    let lock = engine.lock_if_no_promotion(live)?;
    lock.ok_or_else(|| Failure::PromotionRuns(live.to_string()))
}
