//! A service, as every part of its promotion reads it.

use step::engine::swarm::service::Service;
use step::model::image_ref::repository;
use step::ownership::marks::Marks;

use crate::failure::Failure;
use crate::failure::way_out::WayOut;
use crate::promotion::Promotion;

/// The live service, which must be there.
pub(super) fn live_now(promotion: &Promotion<'_>) -> Result<Service, Failure> {
    let live = &promotion.names.live;
    let gone = || Failure::NoCandidate(format!("the service {live} was removed"), WayOut::Start);
    promotion.engine.service(live)?.ok_or_else(gone)
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
