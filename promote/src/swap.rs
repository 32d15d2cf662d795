//! A swap in progress: its data. What is done with it stands in this folder's files.

pub(crate) mod alias;
pub(crate) mod callers;
mod cleanup;
mod clear;
mod compose;
mod create;
mod drift;
pub(crate) mod error;
pub(crate) mod kept;
pub(crate) mod link;
pub(crate) mod names;
pub(crate) mod outcome;
mod podman;
pub(crate) mod port;
pub(crate) mod prepare;
mod published;
mod rollback;
mod verify;

use std::time::Duration;

use step::engine::container::Container;
use step::engine::error::EngineError;
use step::health::ProbeConfig;
use step::model::port::Publish;
use step::recipe::{Condition, Recipe};
use step::terminal::warn;
use step::time::millis;

use crate::bridge::carried::Forwarders;
use crate::bridge::error::{NoBridge, NotClosed};
use crate::bridge::{Bridge, flows};
use crate::network;
use crate::promotion::Promotion;
use crate::report::Seen;
use crate::restart::RestartPolicy;
use crate::traffic::datagrams::await_answers;
use crate::traffic::drain::{Drained, drain};
use crate::traffic::monitor::Monitor;
use crate::traffic::watched::{self, Watched};
use error::SwapError;
use link::Link;

/// A monitor's request that takes longer has failed, as far as a client is concerned.
const MONITOR_TIMEOUT: Duration = Duration::from_millis(500);

/// A swap in progress.
pub(crate) struct Swap<'a> {
    pub(crate) promotion: &'a Promotion<'a>,
    pub(crate) recipe: Recipe,
    pub(crate) old: Option<Old>,
    /// Behind a proxy there is none: it is the container that goes live itself.
    pub(crate) candidate: Option<Container>,
    /// The full id of the container that goes live, once there is one.
    pub(crate) next: Option<String>,
    pub(crate) link: Link,
    sight: Sight,
    waits: Waits,
}

/// What is seen of ports: as clients call one of them, and what the candidate opened beside the live container.
struct Sight {
    monitor: Monitor,
    /// The port that is watched.
    watched: Option<Publish>,
    /// The candidate's ports that took connections at its own address when the swap began.
    open: Vec<u16>,
}

/// The container that was live when the promotion began.
pub(crate) struct Old {
    pub(crate) container: Container,
    /// What a rollback may ask of it.
    pub(crate) was: Condition,
    /// Its ports that took connections at its own address when the promotion began.
    pub(crate) open: Vec<u16>,
    /// Whether it has been removed.
    pub(crate) gone: bool,
    /// Whether its log was kept, where it was to be.
    pub(crate) log_kept: Option<bool>,
}

/// How the waits for clients went.
#[derive(Default)]
struct Waits {
    drained: Option<Drained>,
    candidate_drained: Option<Drained>,
    /// How many connections to the candidate stay open; `None` where it does not stay for them.
    kept: Option<usize>,
    /// Whether calls to the old container's address were redirected to the new one; `None` where they need not be.
    handed_over: Option<Result<(), String>>,
}

impl Old {
    pub(crate) fn new(container: Container, was: Condition) -> Self {
        Self {
            open: watched::open(&container),
            container,
            was,
            gone: false,
            log_kept: None,
        }
    }

    /// Whether it ran before the promotion. One that was down stays down.
    fn was_up(&self) -> bool {
        self.container.state.running || self.was != Condition::Down
    }
}

/// What a client of the live container calls, at which the next release is called as well.
fn watched_of(promotion: &Promotion<'_>, recipe: &Recipe, old: Option<&Old>) -> Option<Watched> {
    let old = &old?.container;
    let config = ProbeConfig {
        timeout: MONITOR_TIMEOUT,
        ..promotion.args.probe_config(Some(recipe))
    };
    let up = Some(old).filter(|old| old.state.up());
    let watched = up.and_then(|old| Watched::shared(recipe, &config, old));
    if up.is_some() && watched.is_none() && promotion.args.max_gap.is_some() {
        warn(
            "promote: --max-gap sees nothing: nobody calls the live container on a port of the next release",
        );
    }
    watched
}

impl<'a> Swap<'a> {
    /// Starts to watch the host port, where there is something live to be watched.
    pub(crate) fn new(
        promotion: &'a Promotion<'a>,
        recipe: Recipe,
        old: Option<Old>,
        candidate: Option<Container>,
        next: Option<String>,
        link: Link,
    ) -> Self {
        let watched = watched_of(promotion, &recipe, old.as_ref());
        let sight = Sight {
            monitor: Monitor::start(watched.as_ref().map(Watched::target)),
            watched: watched.map(|it| it.publish),
            open: candidate.as_ref().map_or_else(Vec::new, watched::open),
        };
        Self {
            sight,
            promotion,
            recipe,
            old,
            candidate,
            next,
            link,
            waits: Waits::default(),
        }
    }

    /// The full id of the container that goes live.
    pub(crate) fn next_id(&self) -> Result<&str, SwapError> {
        self.next.as_deref().ok_or_else(SwapError::vanished)
    }

    /// The container that goes live, as it is now.
    pub(crate) fn next_now(&self) -> Result<Container, SwapError> {
        self.next_if_there()?.ok_or_else(SwapError::vanished)
    }

    /// The same, where there is one.
    pub(crate) fn next_if_there(&self) -> Result<Option<Container>, EngineError> {
        let engine = &self.promotion.engine;
        let found = self.next.as_ref().map(|id| engine.container(id));
        Ok(found.transpose()?.flatten())
    }

    /// Whether clients call the candidate by the app's name as well.
    pub(crate) fn candidate_has_name(&self) -> bool {
        let live = &self.promotion.names.live;
        let candidate = self.candidate.as_ref();
        candidate.is_some_and(|candidate| network::is_known_as(candidate, live))
    }

    /// When the engine is to start the final container again by itself.
    fn restart_policy(&self) -> RestartPolicy {
        let old = self.old.as_ref().map(|old| &old.container);
        self.promotion.args.restart_after(old)
    }

    pub(crate) fn is_on_podman(&self) -> bool {
        let old = self.old.iter().map(|old| &old.container);
        let mut known = self.candidate.iter().chain(old);
        known.any(Container::is_podman)
    }

    /// Waits for requests in flight on the published ports, also for those still in the engine's proxy.
    pub(crate) fn drain(&self, container: &Container) -> Drained {
        let publish = self.recipe.tcp();
        let forwarders = Forwarders::of(self.promotion.live);
        let by_proxy = || forwarders.beside(&publish);
        drain(container, &publish, by_proxy, self.promotion.args.drain)
    }

    fn has_datagrams(&self) -> bool {
        !self.recipe.udp().is_empty()
    }

    /// Waits until it has answered what it was asked by UDP, also by way of the engine's proxy and of a forwarder.
    fn await_answers(&self, container: &Container) {
        if !self.has_datagrams() {
            return;
        }
        let forwarders = self.link.bridge().map(Bridge::datagram_ports);
        let published = self.recipe.udp().into_iter().map(|it| it.host);
        let carriers: Vec<u16> = published
            .chain(forwarders.unwrap_or_default().to_vec())
            .collect();
        await_answers(container, &carriers, self.promotion.args.drain);
    }

    /// New connections and all datagrams go to the container with this full id, which has the ports now.
    ///
    /// # Errors
    /// When they still go to the candidate.
    fn close_bridge(&self, serving: Option<&str>) -> Result<(), NotClosed> {
        // Docker ends flows by itself where no rules of ours lead them.
        let may_be_astray = self.link.bridge().is_some() || self.is_on_podman();
        if let Some(id) = serving.filter(|_| may_be_astray && self.has_datagrams()) {
            match self.promotion.engine.container(id) {
                Ok(Some(serving)) => flows::end_astray(&serving, &self.recipe.udp()),
                _ => warn("promote: flows of datagrams may lead to nobody for a while"),
            }
        }
        self.link.bridge().map_or(Ok(()), Bridge::close)
    }

    /// What clients saw; nothing where nothing was live.
    pub(crate) fn seen(&mut self) -> Option<Seen> {
        let seen = self.sight.monitor.finish();
        self.old.as_ref()?;
        let Waits {
            drained,
            candidate_drained,
            kept,
            handed_over,
        } = &self.waits;
        let waited = |it: &Option<Drained>| it.as_ref().map_or(0, |it| millis(it.waited));
        let is_seen = drained.as_ref().is_some_and(|it| it.is_seen);
        Some(Seen {
            bridge: if self.link.is_off() { "off" } else { "on" },
            bridge_off_because: match &self.link {
                Link::Off(why) => why.as_ref().map(NoBridge::to_string),
                Link::Open(_) | Link::Stale => None,
            },
            drained_ms: waited(drained),
            candidate_drained_ms: waited(candidate_drained),
            kept: *kept,
            drained_by: if is_seen { "tcp_info" } else { "unknown" },
            handed_over: handed_over.as_ref().map(Result::is_ok),
            not_handed_over_because: handed_over.clone().and_then(Result::err),
            ..seen
        })
    }
}
