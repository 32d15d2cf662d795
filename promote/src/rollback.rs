//! Undoing a swap: the old container gets its ports and its name back.

use std::thread;
use std::time::{Duration, Instant};

use step::{Condition, Container, EngineError, Nft, printable, progress, warn};

use crate::alias;
use crate::bridge::Bridge;
use crate::failure::Failure;
use crate::promote::Promotion;
use crate::swap::Swapping;
use crate::trouble::Trouble;

/// Between two looks whether a container is gone.
const PAUSE: Duration = Duration::from_millis(50);

impl Swapping<'_> {
    /// Undoes the swap and tells how that went.
    pub(crate) fn roll_back(mut self, mut trouble: Trouble) -> Failure {
        progress(&format!("promote: rolling back: {}", trouble.message));
        // Whatever was proven on the port did not hold: until the old one serves, the candidate does.
        if self.bridge.as_ref().is_some_and(Bridge::reopen) {
            self.drain_next();
        }
        let bridged = self.bridge.is_some();
        // Nothing comes after it, so what the engine did not do is asked for once more.
        let restored = self.restore().or_else(|_| self.restore());
        let undone = restored
            .and_then(|()| self.prove_restored())
            .and_then(|()| self.close_bridge());
        self.end_bridge(undone.is_ok());
        trouble.evidence.swap = self.measured();
        let undone = undone.map_err(|why| (why, self.by_hand(bridged)));
        self.told(trouble, undone)
    }

    /// What clients have asked the new container, while they were led to it, it answers if it can.
    fn drain_next(&self) {
        let Ok(Some(next)) = self.promotion.engine.container(&self.next) else {
            return;
        };
        let drained = self.drain_published(&next);
        // One that hangs would not end by itself either.
        if drained.in_flight == 0 && drained.may_be_open() {
            self.let_end(&self.next, next.name());
        }
    }

    /// What becomes of the trouble: undone, or why it could not be and what a person is to run.
    pub(crate) fn told(
        &self,
        mut trouble: Trouble,
        undone: Result<(), (String, String)>,
    ) -> Failure {
        match undone {
            Ok(()) => {
                trouble.evidence.rolled_back_to =
                    self.old.as_ref().map(|_| self.promotion.names.live.clone());
                trouble.undone()
            }
            Err((why, commands)) => {
                let Trouble {
                    message, evidence, ..
                } = trouble;
                Failure::RollbackFailed {
                    message,
                    why,
                    commands,
                    evidence,
                }
            }
        }
    }

    /// The new one goes, the old one is started and named, in the order that has the port answer
    /// soonest; what is done already is left as it is.
    fn restore(&self) -> Result<(), String> {
        if !self.next.is_empty() {
            self.remove_next().map_err(|error| error.to_string())?;
        }
        self.restore_old()
    }

    /// The old container runs, if it did before, and has its name.
    pub(crate) fn restore_old(&self) -> Result<(), String> {
        let Promotion { engine, names, .. } = self.promotion;
        let said = |error: EngineError| error.to_string();
        let Some(old) = &self.old else {
            return Ok(());
        };
        let now = engine.container(&old.id).map_err(said)?;
        let now = now.ok_or_else(|| format!("{} does not exist any more", names.old))?;
        // One that was down before the promotion stays down.
        let was_up = old.state.running || self.old_was != Condition::Down;
        if was_up && !now.state.running {
            alias::rejoin(engine, old, &now).map_err(said)?;
            let reply = engine.start(&old.id).map_err(said)?;
            if reply.code != Some(0) {
                return Err(format!(
                    "{} does not start: {}{}",
                    names.old,
                    printable(&reply.stderr, 300),
                    held_for_nobody(&reply.stderr)
                ));
            }
        }
        if now.name() != names.live {
            engine.rename(&old.id, &names.live).map_err(said)?;
        }
        Ok(())
    }

    /// An engine that was given up removes it all the same, and says so when it is asked again.
    fn remove_next(&self) -> Result<(), EngineError> {
        let Promotion { engine, args, .. } = self.promotion;
        let end = Instant::now() + args.stop_timeout;
        let removed = engine.remove_with_volumes(&[&self.next]);
        while removed.is_err() && engine.container(&self.next)?.is_some() {
            if Instant::now() > end {
                return removed;
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    pub(crate) fn prove_restored(&self) -> Result<(), String> {
        let proven = self
            .old
            .as_ref()
            .filter(|_| self.old_was == Condition::Healthy);
        proven.map_or(Ok(()), |old| self.prove_old(&old.id))
    }

    fn close_bridge(&self) -> Result<(), String> {
        self.bridge.as_ref().map_or(Ok(()), Bridge::close)
    }

    /// What the candidate has begun to answer it finishes; without an old container it goes on serving.
    fn end_bridge(&mut self, old_serves: bool) {
        if !old_serves {
            self.bridge.take().into_iter().for_each(Bridge::leave);
            return;
        }
        if self.bridge.is_none() && !self.has_the_name() {
            return;
        }
        let staying = self.old.as_ref().map(|old| old.id.clone());
        self.drain_candidate_for(&staying.unwrap_or_default());
        self.bridge = None;
    }

    fn by_hand(&self, bridged: bool) -> String {
        let names = &self.promotion.names;
        let rules = Nft::table(self.promotion.live);
        let unbridge = bridged.then(|| format!("nft delete table inet {rules}"));
        let steps: Vec<String> = self.old_by_hand().into_iter().chain(unbridge).collect();
        format!(
            "run promote again, which carries on from what it finds; or by hand: docker rm -f {next}; {steps}",
            next = names.next,
            steps = steps.join(" && "),
        )
    }

    /// The commands that have the old container run under its name, each only of use after the one before it. Whatever
    /// the engine forgets when a start fails is put back now, and may be forgotten once more by the next one that fails.
    pub(crate) fn old_by_hand(&self) -> Vec<String> {
        let Promotion { engine, names, .. } = self.promotion;
        let Some(old) = &self.old else {
            return Vec::new();
        };
        let now = engine.container(&old.id).ok().flatten();
        let name = now.as_ref().map_or(names.old.as_str(), Container::name);
        let mut steps = Vec::new();
        if let Some(now) = &now {
            steps = alias::rejoined_by_hand(old, now);
            if let Err(error) = alias::rejoin(engine, old, now) {
                warn(&format!("promote: {name} has lost its networks: {error}"));
            }
        }
        steps.push(format!("docker start {name}"));
        if name != names.live {
            steps.push(format!("docker rename {name} {}", names.live));
        }
        steps
    }
}

/// Docker whose power failed while it started a container keeps that one's port after its boot, and its proxy listens
/// there: neither another start nor another promotion helps.
fn held_for_nobody(stderr: &str) -> &'static str {
    if stderr.contains("port is already allocated") {
        "; if no container has the port, the engine keeps it since a power cut: systemctl restart docker"
    } else {
        ""
    }
}
