//! Clients that call the app by its name, also on an engine that does not take a running container's name away, or give
//! it another, by a rename: podman.

use std::thread;
use std::time::Duration;

use step::Container;

use crate::alias;
use crate::promote::Promotion;
use crate::swap::Swapping;
use crate::trouble::Trouble;

/// Who has looked the name up just before it was taken away calls within a moment.
const LOOKED_UP: Duration = Duration::from_millis(20);

impl Swapping<'_> {
    /// Before the old container is drained: its callers go to the candidate, which has the name as well.
    pub(crate) fn take_callers(&mut self, old: &Container) {
        if !old.is_podmans() {
            if self.has_the_name() {
                thread::sleep(LOOKED_UP);
            }
            return;
        }
        let name = &self.promotion.names.live;
        if let (Some(bridge), Some(candidate)) = (&mut self.bridge, &self.candidate) {
            bridge.lead_away(alias::moves(old, candidate, name));
        }
    }

    pub(crate) fn is_on_podman(&self) -> bool {
        let mut known = self.candidate.iter().chain(&self.old);
        known.any(Container::is_podmans)
    }

    /// The proven container gets the name that callers know, and is proven once more.
    pub(crate) fn give_callers_name(&self) -> Result<(), Trouble> {
        let Promotion { engine, names, .. } = self.promotion;
        if !self.is_on_podman() {
            return Ok(());
        }
        match engine.container(&self.next)? {
            Some(next) if alias::give_name(engine, &next, &names.live)? => self.prove(),
            _ => Ok(()),
        }
    }
}
