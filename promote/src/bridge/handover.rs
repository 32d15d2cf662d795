//! Redirects calls from the address of a container that leaves to the one that stays, for clients that still have it.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use step::engine::Engine;
use step::engine::container::Container;
use step::host::nft::Nft;
use step::model::name::Name;
use step::terminal::spinner::waiting;
use step::terminal::warn;

use super::error::NoBridge;
use super::idle;
use super::listing::called;
use super::redirect::{self, AddressRedirect};
use super::renewal::Renewal;
use super::ruleset::addresses;
use super::watch::Watch;

/// Between two looks whether the address has been given to somebody else.
const PAUSE: Duration = Duration::from_millis(200);

/// Rules that redirect new connections from one address of a network to another. Dropped, they are removed.
pub(crate) struct Handover {
    nft: Nft,
    container: Name,
    /// The full id of the container that leaves.
    leaving: String,
    /// Its addresses, one of each family that it has.
    from: Vec<IpAddr>,
    /// Empty of one that was taken over.
    redirects: Vec<AddressRedirect>,
    /// They go the moment that the container they redirect to ends, whatever becomes of this process.
    _watch: Watch,
}

impl Handover {
    /// Redirects from `leaving` to `staying`, in place of any other rules of the app.
    ///
    /// # Errors
    /// Why that cannot be; then nothing is left of it.
    pub(crate) fn open(
        engine: &Engine,
        container: &Name,
        network: &str,
        leaving: &Container,
        staying: &Container,
    ) -> Result<Self, NoBridge> {
        if let Some(host) = engine.remote_host() {
            return Err(NoBridge::Elsewhere(host));
        }
        let nft = Nft::find(engine.limits())?;
        let redirects = redirect::on_network(network, leaving, staying);
        if redirects.is_empty() {
            return Err(NoBridge::NoWay(network.to_owned()));
        }
        let from: Vec<IpAddr> = redirects.iter().map(|it| it.from).collect();
        let table = Nft::table(container);
        let script =
            addresses::handover(&table) + &addresses::redirect_addresses(&table, &redirects);
        nft.apply(&script)?;
        let watch = watch(&nft, container, &from, staying);
        // Unwatched, the rules may soon lead to another container.
        let watch = watch.inspect_err(|_| drop(nft.remove(container)))?;
        Ok(Self {
            nft,
            container: container.clone(),
            leaving: leaving.id.clone(),
            from,
            redirects,
            _watch: watch,
        })
    }

    /// Takes over the one that a promotion which was killed has left.
    pub(crate) fn adopt(
        engine: &Engine,
        container: &Name,
        leaving: &Container,
        staying: &Container,
    ) -> Option<Self> {
        let nft = Nft::find(engine.limits()).ok()?;
        let rules = nft.read(container)?;
        let from = called(&rules);
        nft.apply(&addresses::go_on(&Nft::table(container), &from))
            .ok()?;
        let watch = watch(&nft, container, &from, staying).ok()?;
        Some(Self {
            nft,
            container: container.clone(),
            leaving: leaving.id.clone(),
            from,
            redirects: Vec::new(),
            _watch: watch,
        })
    }

    /// Stays open for `time` after the container that leaves has ended or lost its name, unless the engine gives
    /// its address to another one.
    pub(crate) fn linger(self, engine: &Engine, network: &str, time: Duration) {
        let _wait = waiting("promote: who still has the old address is led to the new one");
        let end = Instant::now() + time;
        while Instant::now() < end {
            thread::sleep(PAUSE.min(end.saturating_duration_since(Instant::now())));
            let holders = engine.holders(network, &self.from).unwrap_or_default();
            if holders.iter().any(|holder| *holder != self.leaving) {
                return;
            }
        }
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        idle::end(&self.redirects);
        if let Err(why) = self.nft.remove(&self.container) {
            warn(&format!(
                "promote: the rules for calls to the old container could not be removed: {why}"
            ));
        }
    }
}

fn watch(
    nft: &Nft,
    container: &Name,
    from: &[IpAddr],
    staying: &Container,
) -> Result<Watch, NoBridge> {
    let keeper = Renewal::of(nft, container, from.to_vec());
    Watch::over(staying, Nft::table(container), keeper)
}
