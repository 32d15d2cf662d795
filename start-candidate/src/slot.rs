//! The candidate's place: whether it may be taken, and what is stale in it.

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::host::lock::Lock;
use step::model::name::{Name, Names};
use step::recipe::Recipe;
use step::terminal::progress;

use crate::args::Args;
use crate::failure::Failure;

/// A place that may be taken.
pub(crate) struct Slot {
    stale: Vec<Container>,
    /// While something is to be removed from it: no promotion may begin with that.
    _no_promotion: Option<Lock>,
}

impl Slot {
    /// Looks who is there, if anything depends on it.
    pub(crate) fn look(
        engine: &Engine,
        args: &Args,
        live: &Name,
        names: &Names,
    ) -> Result<Self, Failure> {
        // Under the lock nobody else replaces a candidate either.
        let lock = no_promotion_runs(live).map(|lock| args.replace.then_some(lock));
        let mut found = if args.replace || args.deploy_id.is_some() {
            engine.containers(&names.all())?
        } else {
            Vec::new()
        };
        not_outdated(args, &found)?;
        let Some(lock) = lock? else {
            return Ok(Self {
                stale: Vec::new(),
                _no_promotion: None,
            });
        };
        if found.iter().any(|container| container.name() == names.old) {
            return Err(Failure::Unfinished(names.old.clone()));
        }
        found.retain(|container| container.name() == names.candidate);
        Ok(Self {
            stale: found,
            _no_promotion: Some(lock),
        })
    }

    /// Removes what is stale in it.
    pub(crate) fn clear(self, engine: &Engine, names: &Names) -> Result<(), Failure> {
        for stale in &self.stale {
            progress(&format!(
                "start-candidate: removing the stale {}",
                names.candidate
            ));
            engine.remove_with_volumes(&[&stale.id])?;
        }
        Ok(())
    }
}

/// Not beside a newer deployment, nor in its candidate's place.
fn not_outdated(args: &Args, found: &[Container]) -> Result<(), Failure> {
    let mut newer = found.iter().filter_map(|container| {
        Some(Failure::Outdated {
            container: container.name().to_owned(),
            newer: Recipe::newer(container, args.deploy_id)?,
            deploy_id: args.deploy_id?,
        })
    });
    newer.next().map_or(Ok(()), Err)
}

fn no_promotion_runs(live: &Name) -> Result<Lock, Failure> {
    match Lock::if_no_promotion(live) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Failure::PromotionRuns(live.to_string())),
        Err(error) => Err(CommonFailure::NoLock(error).into()),
    }
}
