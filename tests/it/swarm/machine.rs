//! The proxy on a node of the swarm, with the settings of the page, and the load through it.

use std::time::Duration;

use stage::load::Outcome;
use stage::swarm;

use super::{FRONT, Sea};
use crate::docs;
use crate::proxy::front::say;

/// haproxy in the network of a container of the swarm.
pub(super) struct Front(swarm::Front);

impl Front {
    pub(super) fn start(sea: &Sea, image: &str) -> Front {
        let container = format!("{}-front", sea.name());
        let settings = docs::only(docs::SWARM, "haproxy", "resolvers");
        let settings = settings.replace(" web:8080", &format!(" {}:8080", sea.name()));
        let beside = (container.as_str(), image);
        let front =
            swarm::Front::start(&sea.swarm, FRONT, beside, &sea.network(), &settings).unwrap();
        Front(front)
    }

    /// What clients see while something is done.
    pub(super) fn watch<T>(&self, what: &str, during: impl FnOnce() -> T) -> (T, Outcome) {
        let load = self.0.load().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let done = during();
        std::thread::sleep(Duration::from_millis(1500));
        let seen = load.finish().unwrap();
        say(&format!("swarm, {what}"), &seen);
        (done, seen)
    }

    /// As [`Front::watch`], and no request fails.
    pub(super) fn unfailing<T>(&self, what: &str, during: impl FnOnce() -> T) -> (T, Outcome) {
        let (done, seen) = self.watch(what, during);
        assert_eq!(seen.failed(), 0, "{what}: {:?}", seen.kinds());
        (done, seen)
    }

    /// The same, answered by these releases alone.
    pub(super) fn unnoticed<T>(
        &self,
        what: &str,
        versions: &[&str],
        during: impl FnOnce() -> T,
    ) -> T {
        let (done, seen) = self.unfailing(what, during);
        assert_eq!(seen.versions(), versions, "{what}");
        done
    }
}
