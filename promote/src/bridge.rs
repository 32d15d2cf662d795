//! The bridge: while the live container is replaced, new connections and datagrams on its ports go to the candidate.
//!
//! The engine cannot give one host port to two containers, so the port is closed between the old one's stop and the new
//! one's start. Created in advance, the new one still leaves it closed for 400 ms (measured; 230 requests failed). A
//! redirect by nftables took 1.2 ms and no request failed. So the kernel redirects, in one table for each app, which is
//! added and removed in one transaction.
//!
//! Each kind of client is led the way it came before (`look`): whom the engine translates is translated (`dnat`), and whom
//! the engine's proxy serves is handed to a forwarder (`tproxy`). So a firewall sees what it saw before. Open connections
//! stay where they are. Datagrams move all at once, just before the live container ends.
//!
//! A bridge for connections is believed only when a call of each kind was counted by the rules and answered by the
//! candidate (`verify`). What a firewall stops of other hosts is compared with and without it (`firewall`).
//!
//! The candidate's address may be another container's soon after it ends. So the bridge is watched from its first
//! moment, here and in each forwarder, and redirects nobody once the candidate's process has ended.

mod calls;
pub(crate) mod carried;
mod door;
pub(crate) mod error;
pub(crate) mod firewall;
pub(crate) mod flows;
pub(crate) mod forwarder;
pub(crate) mod handover;
mod idle;
mod listing;
mod look;
mod netlink;
pub(crate) mod opening;
mod plan;
#[cfg(test)]
mod properties;
pub(crate) mod redirect;
mod relay;
mod renewal;
mod route;
mod rules;
mod ruleset;
mod served;
mod sockets;
pub(crate) mod stale;
mod taken;
mod verify;
mod watch;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use step::engine::Engine;
use step::engine::container::Container;
use step::health::ProbeConfig;
use step::host::nft::{Nft, NftError};
use step::model::port::Publish;
use step::terminal::warn;

use crate::cgroup::Cgroup;
use crate::traffic::connections::{Socket, connections_here};
use carried::Forwarders;
use error::{NoBridge, NotClosed};
use firewall::{Firewall, Passage};
use forwarder::Forwarder;
use opening::Sides;
use redirect::AddressRedirect;
use relay::LAST_ANSWERS;
use rules::Rules;
use verify::verify;
use watch::{Keeper, Watch};

const PAUSE: Duration = Duration::from_millis(10);

/// A bridge that redirects. Dropped, it is removed.
pub(crate) struct Bridge {
    rules: Arc<Rules>,
    stands: bool,
    /// While rules redirect to the candidate.
    watch: Option<Watch>,
    forwarders: Vec<Forwarder>,
    /// The ports of forwarders to which the kernel translates.
    redirected: Vec<u16>,
    /// The ports of those that take datagrams.
    datagrams: Vec<u16>,
    firewall: Firewall,
    /// Clients that call the app by its name were redirected by these.
    names: Vec<AddressRedirect>,
}

impl Bridge {
    /// What it takes, before anything is touched for it.
    ///
    /// # Errors
    /// Why there can be none.
    pub(crate) fn plan(
        engine: &Engine,
        candidate: &Container,
        publish: &[Publish],
    ) -> Result<Nft, NoBridge> {
        if publish.is_empty() {
            return Err(NoBridge::NoPort);
        }
        if let Some(host) = engine.remote_host() {
            return Err(NoBridge::Elsewhere(host));
        }
        // First, as no right to change rules would help there.
        for publish in publish {
            door::address(candidate, *publish)?;
        }
        Ok(Nft::find(engine.limits())?)
    }

    /// Opens it for those who are served now, and verifies it by their calls. Where that fails, requests that were
    /// redirected until then are waited for, at most `limit`.
    ///
    /// # Errors
    /// Why there can be none; then nothing is left of it.
    pub(crate) fn open(
        nft: Nft,
        engine: &Engine,
        sides: &Sides<'_>,
        config: &ProbeConfig,
        limit: Duration,
        cgroup: &Cgroup,
    ) -> Result<Self, NoBridge> {
        let Sides {
            container,
            live,
            candidate,
            publish,
            ..
        } = *sides;
        let (plan, sockets) = opening::plan(&nft, engine, sides, config)?;
        let forwarders = opening::forwarders(&plan, sockets, candidate, cgroup)?;
        let script = opening::apply(&nft, &plan, live.is_some())?;
        let rules = Arc::new(Rules::opened(nft, container, script, &plan));
        let watch = Watch::over(candidate, Nft::table(container), Arc::clone(&rules));
        // Unwatched, the rules may soon lead to another container.
        let watch = watch.inspect_err(|_| drop(rules.nft.remove(container)))?;
        let bridge = Self {
            rules,
            stands: true,
            watch: Some(watch),
            forwarders,
            redirected: plan.redirected(),
            datagrams: plan.datagrams.iter().map(|it| it.forwarder).collect(),
            firewall: Firewall::on_the_way(&plan),
            names: Vec::new(),
        };
        if let Err(why) = verify(&bridge.rules.nft, &plan, candidate, config) {
            // Nobody drains the candidate later: there was no bridge then.
            let _ = bridge.close();
            Forwarders::of(container).drain(candidate, publish, limit);
            return Err(why);
        }
        Ok(bridge)
    }

    /// New connections go where they went without the bridge; open ones stay.
    ///
    /// # Errors
    /// When they still go to the candidate, which would then answer every proof for another.
    pub(crate) fn close(&self) -> Result<(), NotClosed> {
        self.rules.close()
    }

    /// Leads new connections to the candidate again, as long as its end would be noticed; tells whether they went
    /// elsewhere meanwhile, and do so no more.
    pub(crate) fn reopen(&self) -> bool {
        self.watch.is_some() && self.rules.reopen()
    }

    /// Sees whether a firewall stops other hosts on their way to the candidate; the bridge may be closed meanwhile.
    pub(crate) fn passage(&mut self) -> Passage {
        let watched = self.watch.is_some();
        let rules = &self.rules;
        self.firewall.passage(rules, || watched && rules.reopen())
    }

    /// From now on all datagrams go to the candidate, those of open flows, too: the live container is about to end.
    ///
    /// # Errors
    /// Why they do not.
    pub(crate) fn lead_datagrams(&self) -> Result<(), NftError> {
        self.rules.lead_datagrams()
    }

    /// The ports on which its forwarders take datagrams.
    pub(crate) fn datagram_ports(&self) -> &[u16] {
        &self.datagrams
    }

    /// Redirects clients that resolved the app's name from the container that leaves to the one that stays.
    /// If the candidate leaves, call [`Self::unwatch`] before it ends: its name is known for a moment longer.
    pub(crate) fn redirect_name(&mut self, redirects: Vec<AddressRedirect>) {
        if redirects.is_empty() {
            return;
        }
        match self.rules.add(&redirects) {
            Ok(()) => self.names.extend(redirects),
            Err(why) => warn(&format!(
                "promote: who calls the app by its name may be refused: {why}"
            )),
        }
    }

    /// From here on the candidate may go, and this removes the rest by itself.
    pub(crate) fn unwatch(&mut self) {
        self.watch = None;
        self.forwarders.iter().for_each(Forwarder::finish);
    }

    /// Without the table the kernel would stop translating what was redirected to a forwarder.
    fn await_redirected(&self) {
        let end = Instant::now() + LAST_ANSWERS;
        let is_meant = |it: Socket| self.redirected.contains(&it.port);
        let is_forwarding = || connections_here(is_meant).is_ok_and(|found| found.in_flight > 0);
        while Instant::now() < end && is_forwarding() {
            thread::sleep(PAUSE);
        }
    }

    /// Whether the candidate ended while it was needed.
    pub(crate) fn is_lost(&self) -> bool {
        self.rules.is_lost()
    }

    /// Leaves what is open to the candidate as it is. Datagrams have no connection that could stay.
    pub(crate) fn leave_open(mut self) {
        let of_connections = self.forwarders.len() - self.datagrams.len();
        self.forwarders.truncate(of_connections);
        self.leave();
    }

    /// Leaves it standing: the candidate behind it is all that serves.
    pub(crate) fn leave(mut self) {
        self.stands = false;
        self.forwarders.drain(..).for_each(Forwarder::leave);
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if !self.stands {
            return;
        }
        // Nobody new comes to them from here on: without the rules nothing would keep strangers from them.
        self.forwarders.iter().for_each(Forwarder::finish);
        idle::end(&self.names);
        self.await_redirected();
        let Rules { nft, container, .. } = &*self.rules;
        if let Err(why) = nft.remove(container) {
            warn(&format!("promote: the bridge could not be removed: {why}"));
        }
    }
}

/// The bridge redirects nobody from the moment the candidate ends, and is put back as long as it lives.
impl Keeper for Arc<Rules> {
    fn ended(&self) {
        self.lose();
    }

    fn rules_changed(&self) {
        self.put_back();
    }

    fn goes_on(&self) {
        self.renewal.renew();
    }
}
