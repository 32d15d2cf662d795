//! One wait for health: attempt after attempt, while the engine is listened to.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::check::{CheckResult, NetworkCheck, healthcheck, run_inside};
use super::target::Target;
use super::{Attempt, Probed, RetryPolicy, Unhealthy};
use crate::engine::Engine;
use crate::engine::container::State;
use crate::engine::error::EngineError;
use crate::engine::events::{Death, Word};
use crate::engine::summary::Crash;
use crate::signals::interrupted;
use crate::terminal::spinner;
use crate::time::millis;

/// How many of the last attempts a report shows.
const SHOWN: usize = 5;
/// How long a step may sleep before it looks for an interrupt.
const SLICE: Duration = Duration::from_millis(50);
/// How far back the engine is asked for the container's end: to before it was last inspected.
const SINCE: Duration = Duration::from_millis(500);

/// Looks until the target is healthy. A container is watched besides: its end is noticed
/// within milliseconds, whatever an attempt is waiting for.
///
/// # Errors
/// [`Unhealthy`].
pub fn await_health(
    engine: Option<&Engine>,
    target: &Target,
    patience: &RetryPolicy,
) -> Result<Probed, Unhealthy> {
    if let Some(crash) = &target.crash {
        return Err(Unhealthy::Crashed(crash.clone(), Vec::new()));
    }
    Poll::new(engine, target, patience).run()
}

/// Looks once, without watching the container.
///
/// # Errors
/// What was seen instead of health.
pub fn probe_once(target: &Target) -> Result<String, String> {
    target
        .network
        .as_ref()
        .map_or(Ok(String::new()), NetworkCheck::check)
}

enum Event {
    Seen(CheckResult),
    Told(Word),
}

struct Poll<'a> {
    watched: Option<(&'a Engine, &'a str)>,
    target: &'a Target,
    patience: &'a RetryPolicy,
    sender: Sender<Event>,
    events: Receiver<Event>,
    began: Instant,
    /// Started only when the first attempt was not good at once: an app that is healthy needs no watch.
    watch: Option<Death>,
    /// Nobody watches, as when the engine is restarted, and the engine has not been asked since.
    blind: bool,
    last: Vec<Attempt>,
    attempts: u32,
}

impl<'a> Poll<'a> {
    fn new(engine: Option<&'a Engine>, target: &'a Target, patience: &'a RetryPolicy) -> Self {
        let (sender, events) = channel();
        Self {
            watched: engine.zip(target.id.as_deref()),
            target,
            patience,
            sender,
            events,
            began: Instant::now(),
            watch: None,
            blind: false,
            last: Vec::new(),
            attempts: 0,
        }
    }

    fn run(mut self) -> Result<Probed, Unhealthy> {
        let mut good = 0;
        loop {
            let began = Instant::now();
            let seen = self.attempt()?;
            self.attempts += 1;
            self.note(began, &seen);
            let counts = self.regain()?;
            good = if seen.is_ok() && counts { good + 1 } else { 0 };
            if good >= self.patience.successes {
                return Ok(self.proof());
            }
            let pause = self.patience.pause(self.began.elapsed(), good > 0);
            if self.is_over(pause) {
                if self.blind {
                    self.check_only_state()?;
                }
                return Err(Unhealthy::NotInTime(self.proof()));
            }
            self.start_watch()?;
            self.wait(Instant::now() + pause)?;
        }
    }

    fn is_over(&self, pause: Duration) -> bool {
        match self.patience.attempts {
            Some(allowed) => self.attempts >= allowed,
            None => self.began.elapsed() + pause >= self.patience.within,
        }
    }

    fn start_watch(&mut self) -> Result<(), Unhealthy> {
        if let (None, Some((engine, id))) = (&self.watch, self.watched) {
            let sender = self.sender.clone();
            let tell = move |word| drop(sender.send(Event::Told(word)));
            self.watch = engine.on_death(id, SINCE, tell)?;
            self.blind |= self.watch.is_none();
        }
        Ok(())
    }

    fn attempt(&mut self) -> Result<CheckResult, Unhealthy> {
        let Some(network) = self.target.network.clone() else {
            return self.attempt_inside();
        };
        let (sender, beside) = (self.sender.clone(), network.clone());
        let check = move || drop(sender.send(Event::Seen(beside.check())));
        if thread::Builder::new().spawn(check).is_err() {
            return Ok(network.check());
        }
        loop {
            match self.events.recv_timeout(SLICE) {
                Ok(Event::Seen(seen)) => return Ok(seen),
                Ok(Event::Told(word)) => self.heard(word)?,
                Err(_) if interrupted() => return Err(Unhealthy::Interrupted),
                Err(_) => self.start_watch()?,
            }
        }
    }

    fn attempt_inside(&self) -> Result<CheckResult, Unhealthy> {
        let (engine, id) = self.watched.ok_or(Unhealthy::Gone)?;
        let config = &self.target.config;
        let seen = match config.probe.docker_health {
            true => healthcheck(engine, id, config.timeout)?.ok_or(Unhealthy::Gone)?,
            false => run_inside(engine, id, &config.probe.exec, config.timeout)?,
        };
        if seen.is_err() {
            self.check_only_state()?;
        }
        Ok(seen)
    }

    fn wait(&mut self, until: Instant) -> Result<(), Unhealthy> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            match self.events.recv_timeout(left.min(SLICE)) {
                Ok(Event::Told(word)) => self.heard(word)?,
                Ok(Event::Seen(_)) => {}
                Err(_) if interrupted() => return Err(Unhealthy::Interrupted),
                Err(_) => {}
            }
        }
    }

    fn heard(&mut self, word: Word) -> Result<(), Unhealthy> {
        match word {
            Word::Ended => self.check(),
            Word::Lost => {
                self.blind = true;
                Ok(())
            }
        }
    }

    /// Unwatched, the container may have ended and its address be another's by now: no attempt
    /// counts until the engine has said that it is up, and it is watched again where it can be. Returns whether the last
    /// attempt counts.
    fn regain(&mut self) -> Result<bool, Unhealthy> {
        if !self.blind {
            return Ok(true);
        }
        match self.check_only_state() {
            Err(Unhealthy::Engine(EngineError::Unreachable(_))) => Ok(false),
            Err(why) => Err(why),
            Ok(()) => {
                self.blind = false;
                self.watch = None;
                self.start_watch().map(|()| true)
            }
        }
    }

    /// The engine said that the main process ended: whatever it is now, it was not steady.
    fn check(&self) -> Result<(), Unhealthy> {
        self.look(|_| false)
    }

    fn check_only_state(&self) -> Result<(), Unhealthy> {
        self.look(State::up)
    }

    fn look(&self, is_steady: fn(&State) -> bool) -> Result<(), Unhealthy> {
        let Some((engine, id)) = self.watched else {
            return Ok(());
        };
        let container = engine.container(id)?.ok_or(Unhealthy::Gone)?;
        if is_steady(&container.state) {
            return Ok(());
        }
        let crash = Crash::of(&container);
        Err(Unhealthy::Crashed(crash, self.last.clone()))
    }

    fn note(&mut self, began: Instant, seen: &CheckResult) {
        if self.last.len() == SHOWN {
            self.last.remove(0);
        }
        let (Ok(saw) | Err(saw)) = seen;
        spinner::status(saw);
        self.last.push(Attempt {
            at_ms: millis(began.duration_since(self.began)),
            took_ms: millis(began.elapsed()),
            ok: seen.is_ok(),
            saw: saw.clone(),
        });
    }

    fn proof(self) -> Probed {
        Probed {
            attempts: self.attempts,
            last: self.last,
        }
    }
}
