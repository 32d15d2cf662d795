//! Behind a proxy: the candidate itself goes live, by the alias that clients call on a network.

use step::{Condition, Container, Previous, Recipe, interrupted, no_way_back, progress};

use crate::alias;
use crate::args::Calling;
use crate::failure::Failure;
use crate::preflight;
use crate::promote::Promotion;
use crate::report::Report;
use crate::situation::{Course, Situation};
use crate::stray;
use crate::swap::Swapping;
use crate::trouble::Trouble;

impl Promotion<'_> {
    /// Promotes from wherever things stand. The journal is the same but that no `-next` is made:
    /// the candidate itself gets the live name when the old container has given it up.
    pub(crate) fn by_alias(
        &self,
        mut situation: Situation,
        calling: Calling<'_>,
    ) -> Result<Report, Failure> {
        if situation.is_by_port() {
            return Err(Failure::NoCandidate(format!(
                "an unfinished promotion of {} was begun without --network: run promote without it first",
                self.names.live
            )));
        }
        let back = situation.candidate.take().map(|candidate| {
            if has_names_of_its_own(&candidate) {
                return Ok(candidate);
            }
            alias::put_back(&self.engine, candidate)
        });
        situation.candidate = back.transpose()?;
        match situation.course() {
            Course::Begin => self.begin_by_alias(situation, calling),
            Course::CarryOn => self.carry_on_by_alias(situation, calling),
            Course::Finish => self.finish_by_alias(situation, calling),
        }
    }

    fn begin_by_alias(
        &self,
        situation: Situation,
        calling: Calling<'_>,
    ) -> Result<Report, Failure> {
        stray::remove(&self.engine, self.live);
        self.with_candidate(situation, |live, candidate| {
            self.put_live(live, candidate, calling)
        })
    }

    fn put_live(
        &self,
        live: Option<Container>,
        candidate: Container,
        calling: Calling<'_>,
    ) -> Result<Report, Failure> {
        fits(&candidate, live.as_ref(), calling).map_err(Failure::NoCandidate)?;
        let recipe = preflight::check(self, &candidate)?;
        let old_was = live.as_ref().map(|live| preflight::condition(self, live));
        let old_was = old_was.unwrap_or_default();
        if interrupted() {
            return Err(Failure::Interrupted(self.names.live.clone()));
        }
        no_way_back();
        let swapping = Swapping::new(self, recipe, live, old_was, None, candidate.id);
        let outcome = swapping.at_the_alias(calling)?;
        self.report(outcome, false)
    }

    /// The old container has its name `-old` and runs on, as it does until the very end.
    fn carry_on_by_alias(
        &self,
        situation: Situation,
        calling: Calling<'_>,
    ) -> Result<Report, Failure> {
        progress(&format!(
            "promote: carrying on an unfinished promotion of {}",
            self.names.live
        ));
        no_way_back();
        let Situation { candidate, old, .. } = situation;
        let recipe = candidate.as_ref().and_then(Recipe::of).unwrap_or_default();
        let old_was = old
            .as_ref()
            .map(|old| match preflight::condition(self, old) {
                Condition::Healthy => Condition::Healthy,
                // How it was before is not known: it is started, and no more is asked of it.
                Condition::Sick | Condition::Down => Condition::Sick,
            });
        let old_was = old_was.unwrap_or_default();
        let id = candidate.map(|candidate| candidate.id);
        let next = id.clone().unwrap_or_default();
        let swapping = Swapping::new(self, recipe, old, old_was, None, next);
        if id.is_none() {
            let gone = format!("{} does not exist any more", self.names.candidate);
            return Err(swapping.move_back(Trouble::not_started(gone), calling));
        }
        let outcome = swapping.at_the_alias(calling)?;
        self.as_asked(id.as_deref())?;
        self.report(outcome, true)
    }

    /// The candidate has the live name already.
    fn finish_by_alias(
        &self,
        situation: Situation,
        calling: Calling<'_>,
    ) -> Result<Report, Failure> {
        progress(&format!(
            "promote: finishing a promotion of {}",
            self.names.live
        ));
        no_way_back();
        let Situation { live, old, .. } = situation;
        let recipe = live.as_ref().and_then(Recipe::of).unwrap_or_default();
        let id = live.map(|live| live.id).unwrap_or_default();
        let old_was = old.as_ref().map(|old| {
            let stopped = !old.state.running;
            // Stopped it was by a promotion, which had seen it drained.
            Some(preflight::condition(self, old)).filter(|_| !stopped)
        });
        let old_was = old_was.flatten().unwrap_or_default();
        let swapping = Swapping::new(self, recipe, old, old_was, None, id.clone());
        let outcome = swapping.at_the_alias(calling)?;
        stray::remove(&self.engine, self.live);
        self.as_asked(Some(&id))?;
        self.report(outcome, true)
    }
}

/// Whether it was created with what it would not have any more if it were put back on its network.
fn has_names_of_its_own(candidate: &Container) -> bool {
    const OWN: [&str; 5] = [
        "--network-alias",
        "--net-alias",
        "--ip",
        "--link",
        "--mac-address",
    ];
    let options = Recipe::of(candidate).unwrap_or_default().options;
    let own = |option: &String| OWN.iter().any(|own| option.starts_with(own));
    options.iter().any(own)
}

/// Whether the candidate can itself take the live container's place.
///
/// # Errors
/// Why it cannot, and what to do.
fn fits(
    candidate: &Container,
    live: Option<&Container>,
    calling: Calling<'_>,
) -> Result<(), String> {
    let (name, network) = (candidate.name(), calling.network);
    // One without a recipe is refused when it is looked at.
    let Some(recipe) = Recipe::of(candidate) else {
        return Ok(());
    };
    if !alias::resolves(network) {
        return Err(format!(
            "on the network {network} nobody is called by a name: use one made by docker network create"
        ));
    }
    if !candidate.network_settings.networks.contains_key(network) {
        return Err(format!(
            "{name} is not on the network {network}: start it there, with `-- --network {network}` at the end of start-candidate's words"
        ));
    }
    if let Some(publish) = recipe.publish.first() {
        return Err(format!(
            "{name} is to publish the port {publish}, which needs a new container: promote it without --network, or deploy under another --container"
        ));
    }
    let replaces = |previous: &Previous| previous.image_id.clone();
    let recorded = Previous::of(candidate).as_ref().map(replaces);
    let now = live.map(|live| replaces(&Previous::replaced(&recipe, live)));
    if now.is_some() && recorded != now {
        return Err(format!(
            "{name} was started beside another release than the one that is live now: start it again"
        ));
    }
    Ok(())
}
