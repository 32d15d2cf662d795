//! Keeps calls to an old address redirected for as long as somebody is there to do so.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use step::host::nft::Nft;
use step::model::name::Name;

use super::ruleset::addresses::{LASTING, go_on};
use super::watch::Keeper;

/// Addresses whose redirection is renewed.
#[derive(Debug)]
pub(super) struct Renewal {
    nft: Nft,
    container: Name,
    from: Mutex<(Instant, Vec<IpAddr>)>,
}

impl Renewal {
    /// Those whose rules have just been added.
    pub(super) fn of(nft: &Nft, container: &Name, from: Vec<IpAddr>) -> Self {
        Self {
            nft: nft.clone(),
            container: container.clone(),
            from: Mutex::new((Instant::now(), from)),
        }
    }

    /// Some more of them.
    pub(super) fn add(&self, from: impl IntoIterator<Item = IpAddr>) {
        self.from().1.extend(from);
    }

    /// Where it is time, says that they go on. Where that fails calls go where they went, or nowhere: the next time may
    /// succeed.
    pub(super) fn renew(&self) {
        let mut from = self.from();
        if !from.1.is_empty() && from.0.elapsed() > LASTING / 3 {
            from.0 = Instant::now();
            let _ = self
                .nft
                .apply(&go_on(&Nft::table(&self.container), &from.1));
        }
    }

    fn from(&self) -> MutexGuard<'_, (Instant, Vec<IpAddr>)> {
        self.from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper for Renewal {
    fn ended(&self) {
        // The next promotion finds what is left.
        let _ = self.nft.remove(&self.container);
    }

    fn goes_on(&self) {
        self.renew();
    }
}
