//! A bridge's rules while they stand: closed, opened again, and put back where somebody has taken them away.
//!
//! A firewall that is reloaded removes all tables, not only its own (`nft flush ruleset`). Until somebody noticed, clients
//! got nothing: 184 of 1,115 requests failed in such a swap. The kernel tells of every change, and the rules are back
//! within some 20 ms.

use std::sync::{Mutex, MutexGuard, PoisonError};

use step::host::nft::{Nft, NftError};
use step::model::name::Name;
use step::terminal::warn;

use super::error::NotClosed;
use super::listing;
use super::plan::Plan;
use super::redirect::AddressRedirect;
use super::renewal::Renewal;
use super::ruleset::{self, addresses::redirect_addresses, datagrams};

/// The rules of one app. All that changes them does so one after the other.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) nft: Nft,
    pub(super) container: Name,
    /// What leads datagrams, beside all else.
    of_datagrams: String,
    standing: Mutex<Standing>,
    /// The addresses whose calls they redirect.
    pub(super) renewal: Renewal,
}

#[derive(Debug)]
struct Standing {
    /// What opens them.
    script: String,
    /// New connections go where they went without them.
    is_closed: bool,
    /// The candidate has ended under them; they redirect nobody since.
    is_lost: bool,
}

impl Rules {
    /// Those that this script has opened.
    pub(super) fn opened(nft: Nft, container: &Name, script: String, plan: &Plan) -> Self {
        let standing = Standing {
            script,
            is_closed: false,
            is_lost: false,
        };
        Self {
            renewal: Renewal::of(&nft, container, Vec::new()),
            nft,
            container: container.clone(),
            of_datagrams: datagrams::lead(plan),
            standing: Mutex::new(standing),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// New connections go where they went without them; open ones stay.
    ///
    /// # Errors
    /// When they still go to the candidate, which would then answer every look for another.
    pub(super) fn close(&self) -> Result<(), NotClosed> {
        let mut standing = self.standing();
        let closed = self.nft.apply(&ruleset::close(&self.container));
        // The candidate may be gone, and the table with it.
        closed.or_else(|why| self.nft.remove(&self.container).map_err(|_| why))?;
        standing.is_closed = true;
        Ok(())
    }

    /// Opens them once more; tells whether they were closed, and are no more.
    pub(super) fn reopen(&self) -> bool {
        let mut standing = self.standing();
        if standing.is_lost {
            return false;
        }
        match self.nft.apply(&standing.script) {
            Ok(()) => std::mem::take(&mut standing.is_closed),
            Err(why) => {
                warn(&format!(
                    "promote: the bridge could not be opened again: {why}"
                ));
                false
            }
        }
    }

    /// Leads all datagrams to the candidate as well, if it has not ended and they are not led already.
    ///
    /// # Errors
    /// What nft said.
    pub(super) fn lead_datagrams(&self) -> Result<(), NftError> {
        let mut standing = self.standing();
        if standing.is_lost || standing.script.contains(&self.of_datagrams) {
            return Ok(());
        }
        self.extend(&mut standing, &self.of_datagrams)
    }

    /// Adds rules that redirect calls to addresses.
    ///
    /// # Errors
    /// What nft said.
    pub(super) fn add(&self, redirects: &[AddressRedirect]) -> Result<(), NftError> {
        let script = redirect_addresses(&Nft::table(&self.container), redirects);
        self.extend(&mut self.standing(), &script)?;
        self.renewal.add(redirects.iter().map(|it| it.from));
        Ok(())
    }

    /// They are put back with this from now on.
    fn extend(&self, standing: &mut Standing, script: &str) -> Result<(), NftError> {
        self.nft.apply(script)?;
        standing.script += script;
        Ok(())
    }

    /// The candidate has ended. The forwarders hand out the last answers, and remove the rest if nobody else does.
    pub(super) fn lose(&self) {
        let mut standing = self.standing();
        standing.is_lost = true;
        // Nobody is there to be told.
        let _ = self.nft.apply(&ruleset::close(&self.container));
    }

    pub(super) fn is_lost(&self) -> bool {
        self.standing().is_lost
    }

    /// Puts them back where somebody has taken them away.
    pub(super) fn put_back(&self) {
        let standing = self.standing();
        if standing.is_closed || standing.is_lost || self.stand() {
            return;
        }
        match self.nft.apply(&standing.script) {
            Ok(()) => warn("promote: somebody has removed the bridge's rules; they are back"),
            Err(why) => warn(&format!(
                "promote: somebody has removed the bridge's rules, which could not be put back: {why}"
            )),
        }
    }

    fn stand(&self) -> bool {
        let listing = self.nft.read(&self.container).unwrap_or_default();
        listing::stands(&listing)
    }
}
