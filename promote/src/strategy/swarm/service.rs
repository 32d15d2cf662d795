//! The promotion of one service, as its parts are handed it.

use step::engine::Engine;
use step::engine::swarm::service::Service;
use step::model::image_ref::repository;
use step::model::name::{Name, Names};
use step::ownership::marks::Marks;

use crate::args::Args;
use crate::failure::Failure;
use crate::failure::way_out::WayOut;

/// One promotion of one service.
pub(super) struct ServicePromotion<'a> {
    pub(super) args: &'a Args,
    pub(super) engine: Engine,
    pub(super) app: &'a Name,
    pub(super) live: &'a Name,
    pub(super) names: Names,
}

impl ServicePromotion<'_> {
    /// The live service, which must be there.
    pub(super) fn live_now(&self) -> Result<Service, Failure> {
        let found = self.engine.service(&self.names.live)?;
        found.ok_or_else(|| {
            Failure::NoCandidate(
                format!("the service {} was removed", self.live),
                WayOut::Start,
            )
        })
    }
}

/// The candidate that a service was updated to.
pub(super) fn candidate_of(live: &Service) -> Option<String> {
    Marks::of_service(live)?.candidate
}

/// Whether two names of an image are of the same bytes in the same repository.
pub(super) fn same_image(one: &str, other: &str) -> bool {
    let digest = |image: &str| image.split_once('@').map(|(_, digest)| digest.to_owned());
    repository(one) == repository(other) && digest(one) == digest(other)
}
