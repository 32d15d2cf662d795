//! The bridge: while the live container is replaced, new connections on its ports go to the candidate.
//!
//! The engine cannot give one host port to two containers, so the port is closed between the old one's stop and the new
//! one's start. Created in advance, the new one still leaves it closed for 400 ms (measured; 230 requests failed). A
//! redirect by nftables took 1.2 ms and no request failed. So the kernel redirects, in one table for each app, which is
//! added and removed in one transaction.
//!
//! The kernel translates what it can (`dnat`). What it cannot goes to a forwarder: loopback, IPv6, and containers on
//! other networks. Open connections stay where they are. A redirect is believed only when a connection through the port
//! was counted by the rules and answered by the candidate.
//!
//! The candidate's address may be another container's soon after it ends. So the bridge is watched from its first
//! moment, here and in each forwarder, and redirects nobody once the candidate's process has ended.

mod exit_watch;
pub(crate) mod forwarder;
pub(crate) mod handover;
mod idle;
mod listing;
#[cfg(test)]
mod properties;
pub(crate) mod redirect;
mod relay;
mod route;
mod ruleset;
pub(crate) mod stale;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use step::engine::Engine;
use step::engine::container::Container;
use step::health::ProbeConfig;
use step::host::nft::Nft;
use step::model::name::Name;
use step::model::port::Publish;
use step::terminal::warn;

use crate::cgroup::Cgroup;
use crate::traffic::connections::connections_here;
use crate::traffic::drain::drain;
use exit_watch::{ExitWatch, Process};
use forwarder::Forwarder;
use redirect::{AddressRedirect, PortRedirect};
use relay::LAST_ANSWERS;
use verify::verify;

const PAUSE: Duration = Duration::from_millis(10);

/// A bridge that redirects. Dropped, it is removed.
pub(crate) struct Bridge {
    nft: Nft,
    container: Name,
    script: String,
    stands: bool,
    /// Set while new connections go where they went without it.
    is_closed: AtomicBool,
    /// Set when the candidate ended under the bridge, which redirects nobody since.
    lost: Arc<AtomicBool>,
    /// While rules redirect to the candidate.
    watch: Option<ExitWatch>,
    forwarders: Vec<Forwarder>,
    /// Clients that call the app by its name were redirected by these.
    names: Vec<AddressRedirect>,
}

impl Bridge {
    /// What it takes, before anything is touched for it.
    ///
    /// # Errors
    /// Why there can be none, as a sentence.
    pub(crate) fn plan(
        engine: &Engine,
        candidate: &Container,
        publish: &[Publish],
    ) -> Result<Nft, String> {
        if publish.is_empty() {
            return Err("no port is published".to_owned());
        }
        if let Some(host) = engine.remote_host() {
            return Err(format!("the engine is on another machine ({host})"));
        }
        // First, as no right to change rules would help there.
        for publish in publish {
            redirect::address(candidate, *publish)?;
        }
        Nft::find(engine.limits())
    }

    /// Opens it, and verifies it by connections through the host ports. Where that fails, requests that were redirected
    /// until then are waited for, at most `limit`.
    ///
    /// # Errors
    /// Why there can be none, as a sentence; then nothing is left of it.
    pub(crate) fn open(
        nft: Nft,
        container: &Name,
        candidate: &Container,
        publish: &[Publish],
        config: &ProbeConfig,
        limit: Duration,
        cgroup: &Cgroup,
    ) -> Result<Self, String> {
        let (redirects, forwarders) = start_forwarders(container, candidate, publish, cgroup)?;
        let address = redirects.first().map(|it| it.candidate);
        let interface = route::interface(candidate, address)?;
        let script = ruleset::open(container, &redirects, &interface);
        nft.apply(&script)?;
        let lost = Arc::new(AtomicBool::new(false));
        let watch = watch(&nft, container, candidate, &lost)?;
        let bridge = Self {
            nft,
            container: container.clone(),
            script,
            stands: true,
            is_closed: AtomicBool::new(false),
            lost,
            watch: Some(watch),
            forwarders,
            names: Vec::new(),
        };
        match verify(&bridge.nft, container, &redirects, config) {
            Ok(()) => Ok(bridge),
            Err(why) => {
                // Nobody drains the candidate later: there was no bridge then.
                let _ = bridge.close();
                drain(candidate, publish, &bridge.forwarder_ports(), limit);
                Err(why)
            }
        }
    }

    /// New connections go where they went without the bridge; open ones stay.
    ///
    /// # Errors
    /// When they still go to the candidate, which would then answer every proof for another.
    pub(crate) fn close(&self) -> Result<(), String> {
        let closed = self.nft.apply(&ruleset::close(&self.container));
        // The candidate may be gone, and the table with it.
        closed
            .or_else(|why| self.nft.remove(&self.container).map_err(|_| why))
            .map_err(|why| format!("the bridge could not be closed: {why}"))?;
        self.is_closed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Where its forwarders listen.
    pub(crate) fn forwarder_ports(&self) -> Vec<u16> {
        self.forwarders.iter().map(|it| it.port).collect()
    }

    /// Leads new connections to the candidate again, as long as its end would be noticed; tells whether they went
    /// elsewhere meanwhile, and do so no more.
    pub(crate) fn reopen(&self) -> bool {
        if self.watch.is_none() || self.is_lost() {
            return false;
        }
        match self.nft.apply(&self.script) {
            Ok(()) => self.is_closed.swap(false, Ordering::Relaxed),
            Err(why) => {
                warn(&format!(
                    "promote: the bridge could not be opened again: {why}"
                ));
                false
            }
        }
    }

    /// Redirects clients that resolved the app's name from the container that leaves to the one that stays.
    /// If the candidate leaves, call [`Self::unwatch`] before it ends: its name is known for a moment longer.
    pub(crate) fn redirect_name(&mut self, redirects: Vec<AddressRedirect>) {
        if redirects.is_empty() {
            return;
        }
        let script = ruleset::redirect_addresses(&Nft::table(&self.container), &redirects);
        match self.nft.apply(&script) {
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

    /// Without the table the kernel would stop translating the forwarders' connections.
    fn await_forwarded(&self) {
        let (ports, end) = (self.forwarder_ports(), Instant::now() + LAST_ANSWERS);
        let is_forwarding = || connections_here(&ports).is_ok_and(|found| found.in_flight > 0);
        while Instant::now() < end && is_forwarding() {
            thread::sleep(PAUSE);
        }
    }

    /// Whether the candidate ended while it was needed.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
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
        idle::end(&self.names);
        self.await_forwarded();
        if let Err(why) = self.nft.remove(&self.container) {
            warn(&format!("promote: the bridge could not be removed: {why}"));
        }
    }
}

/// The redirect of each port, and the forwarder for what cannot be translated of it.
fn start_forwarders(
    container: &Name,
    candidate: &Container,
    publish: &[Publish],
    cgroup: &Cgroup,
) -> Result<(Vec<PortRedirect>, Vec<Forwarder>), String> {
    let start = |publish: &Publish| {
        let to = redirect::address(candidate, *publish)?;
        let forwarder = Forwarder::start(to, candidate.state.pid, container, cgroup)
            .map_err(|error| format!("no forwarder could be started: {error}"))?;
        let redirect = PortRedirect {
            publish: *publish,
            candidate: to,
            forwarder: forwarder.port,
        };
        Ok((redirect, forwarder))
    };
    publish.iter().map(start).collect()
}

/// The bridge redirects nobody from the moment the candidate ends.
fn watch(
    nft: &Nft,
    container: &Name,
    candidate: &Container,
    lost: &Arc<AtomicBool>,
) -> Result<ExitWatch, String> {
    let process = Process::find(candidate.state.pid)
        .map_err(|error| format!("the candidate's process cannot be seen: {error}"))?;
    let (nft, container, lost) = (nft.clone(), container.clone(), Arc::clone(lost));
    Ok(ExitWatch::start(process, move || {
        lost.store(true, Ordering::Relaxed);
        // The forwarders hand out the last answers, and remove the rest if nobody else does.
        let _ = nft.apply(&ruleset::close(&container));
    }))
}
