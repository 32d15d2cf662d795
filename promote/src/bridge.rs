//! The bridge: while the live container is replaced, new connections on its ports go to the candidate.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use step::{Container, Engine, Looking, Name, Nft, Publish, warn};

use crate::carrier::LAST_ANSWERS;
use crate::drain::drain;
use crate::forwarder::Forwarder;
use crate::keeper::{Mortal, Watch};
use crate::lanes::{address, lane, own_address, place};
use crate::led;
use crate::listing::counted;
use crate::outside::Outside;
use crate::proof::answers;
use crate::ruleset::{self, Lane, Move};
use crate::sockets::connections_here;

/// How long the candidate may take to answer through it: from its first moment on it has the whole traffic.
const PROVEN_WITHIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(10);

/// A bridge that carries traffic; dropped, it goes.
pub(crate) struct Bridge {
    nft: Nft,
    container: Name,
    script: String,
    lanes: Vec<Lane>,
    stands: bool,
    /// Set while new connections go where they went without it.
    is_closed: AtomicBool,
    /// Set when the candidate ended under the bridge, which leads nobody on since.
    lost: Arc<AtomicBool>,
    /// While rules lead to the candidate.
    watch: Option<Watch>,
    forwarders: Vec<Forwarder>,
    /// Who calls the app by its name was led by these.
    moves: Vec<Move>,
}

impl Bridge {
    /// What it takes, before anything is touched for it.
    ///
    /// # Errors
    /// Why there can be none, as a sentence.
    pub(crate) fn means(
        engine: &Engine,
        candidate: &Container,
        publish: &[Publish],
    ) -> Result<Nft, String> {
        if publish.is_empty() {
            return Err("no port is published".to_owned());
        }
        if let Some(host) = engine.elsewhere() {
            return Err(format!("the engine is on another machine ({host})"));
        }
        // First, as no right to change rules would help there.
        for publish in publish {
            address(candidate, *publish)?;
        }
        Nft::find(engine)
    }

    /// Builds it and proves it by connections through the host ports. Where it is not proven, whom it has led until
    /// then are waited for, at most `limit`.
    ///
    /// # Errors
    /// Why there can be none, as a sentence; then nothing is left of it.
    pub(crate) fn build(
        nft: Nft,
        container: &Name,
        candidate: &Container,
        publish: &[Publish],
        looking: &Looking,
        limit: Duration,
        outside: &Outside,
    ) -> Result<Self, String> {
        let mut forwarders = Vec::new();
        let lanes = publish
            .iter()
            .map(|publish| lane(candidate, container, *publish, &mut forwarders, outside));
        let lanes = lanes.collect::<Result<Vec<_>, String>>()?;
        let place = place(candidate, &lanes)?;
        let script = ruleset::open(container, &lanes, &place);
        nft.apply(&script)?;
        let lost = Arc::new(AtomicBool::new(false));
        let watch = watch(&nft, container, candidate, &lost)?;
        let bridge = Self {
            nft,
            container: container.clone(),
            script,
            lanes,
            stands: true,
            is_closed: AtomicBool::new(false),
            lost,
            watch: Some(watch),
            forwarders,
            moves: Vec::new(),
        };
        match bridge.prove(looking) {
            Ok(()) => Ok(bridge),
            Err(why) => {
                // Nobody drains the candidate later: there was no bridge then.
                let _ = bridge.close();
                drain(candidate, publish, &bridge.forwarder_ports(), limit);
                Err(why)
            }
        }
    }

    /// A connection through each port must be counted by the rules and answered by the candidate.
    fn prove(&self, looking: &Looking) -> Result<(), String> {
        for lane in &self.lanes {
            let port = lane.publish.host;
            let at = [Some(step::host_side(&lane.publish)), own_address(lane)];
            for at in at.into_iter().flatten() {
                TcpStream::connect_timeout(&at, Duration::from_secs(2)).map_err(|error| {
                    format!("no connection through port {port} at {at}: {error}")
                })?;
            }
            if looking
                .probe
                .port
                .is_none_or(|asked| asked == lane.publish.container)
            {
                answers(&lane.publish, looking, PROVEN_WITHIN).map_err(|proof| {
                    format!("port {port} answers through the bridge: {}", proof.saw())
                })?;
            }
        }
        let rules = self
            .nft
            .read(&self.container)
            .ok_or("the table cannot be read back")?;
        let unused = self
            .lanes
            .iter()
            .find(|lane| counted(&rules, lane.publish.host) < expected(lane));
        unused.map_or(Ok(()), |lane| {
            Err(format!(
                "connections to port {} did not take the bridge",
                lane.publish.host
            ))
        })
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

    /// Leads those who have looked the app's name up, or still do, from the container that leaves to the one that
    /// stays. Where the candidate leaves, it is to be unwatched before it ends: its name is known for a moment longer.
    pub(crate) fn lead_away(&mut self, moves: Vec<Move>) {
        if moves.is_empty() {
            return;
        }
        let script = ruleset::hand_over(&Nft::table(&self.container), &moves);
        match self.nft.apply(&script) {
            Ok(()) => self.moves.extend(moves),
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

    /// Without the table the kernel would not go on translating what the forwarders carry.
    fn await_carried(&self) {
        let (ports, end) = (self.forwarder_ports(), Instant::now() + LAST_ANSWERS);
        let is_carrying = || connections_here(&ports).is_ok_and(|found| found.in_flight > 0);
        while Instant::now() < end && is_carrying() {
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
        led::end(&self.moves);
        self.await_carried();
        if let Err(why) = self.nft.remove(&self.container) {
            warn(&format!("promote: the bridge could not be removed: {why}"));
        }
    }
}

/// The bridge leads nobody on the moment the candidate ends.
fn watch(
    nft: &Nft,
    container: &Name,
    candidate: &Container,
    lost: &Arc<AtomicBool>,
) -> Result<Watch, String> {
    let process = Mortal::find(candidate.state.pid)
        .map_err(|error| format!("the candidate's process cannot be seen: {error}"))?;
    let (nft, container, lost) = (nft.clone(), container.clone(), Arc::clone(lost));
    Ok(Watch::start(process, move || {
        lost.store(true, Ordering::Relaxed);
        // The forwarders hand out the last answers, and remove the rest if nobody else does.
        let _ = nft.apply(&ruleset::close(&container));
    }))
}

/// How many of the rules for a port must have counted something once it is proven.
fn expected(lane: &Lane) -> usize {
    if lane.publish.address.is_none() { 2 } else { 1 }
}
