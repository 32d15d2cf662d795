//! The move of an alias: both containers answer it for a moment, then the old one finishes and goes.

use std::thread;

use step::{Container, progress, waiting, warn};

use crate::alias;
use crate::args::Calling;
use crate::drain::drain_ports;
use crate::failure::Failure;
use crate::passage::Passage;
use crate::promote::Promotion;
use crate::proof::vanished;
use crate::swap::{Outcome, Swapping};
use crate::trouble::Trouble;

impl Swapping<'_> {
    /// From a candidate that was verified, whatever names it has got already.
    pub(crate) fn at_the_alias(mut self, calling: Calling<'_>) -> Result<Outcome, Failure> {
        self.bridge_off_because = Some("no port is published".to_owned());
        let done = self
            .take_alias(calling)
            .and_then(|next| self.take_name(&next).map(|()| next))
            .and_then(|next| self.retire_old(&next, calling))
            .and_then(|()| self.give_up_old());
        if let Err(trouble) = done {
            return Err(self.move_back(trouble, calling));
        }
        Ok(self.done())
    }

    /// The new container is called by the alias as well, and is healthy where it is called.
    fn take_alias(&self, calling: Calling<'_>) -> Result<Container, Trouble> {
        let engine = &self.promotion.engine;
        let next = engine.container(&self.next)?.ok_or_else(vanished)?;
        let moved = alias::give(engine, &next, calling.network, calling.alias)?;
        self.prove()?;
        if !moved {
            return Ok(next);
        }
        engine.container(&self.next)?.ok_or_else(vanished)
    }

    /// It gets its restart policy first: a first deployment that is killed here would never get it.
    fn take_name(&self, next: &Container) -> Result<(), Trouble> {
        let Promotion { engine, names, .. } = self.promotion;
        if self.old.as_ref().is_some_and(|old| old.name() != names.old) {
            self.rename_old()?;
        }
        self.promotion.keep_up(&self.next)?;
        if next.name() != names.live {
            engine.rename(&self.next, &names.live)?;
        }
        Ok(())
    }

    /// The old container finishes its requests while new ones go past it, and ends.
    fn retire_old(&mut self, next: &Container, calling: Calling<'_>) -> Result<(), Trouble> {
        let Promotion {
            engine,
            args,
            names,
            live,
            ..
        } = self.promotion;
        let Some(old) = self.old.clone().filter(|old| old.state.running) else {
            return self.retire_stopped(next, calling);
        };
        let passage = Passage::open(engine, live, calling.network, &old, next);
        self.handed_over = Some(passage.as_ref().map(drop).map_err(Clone::clone));
        if let Err(why) = &passage {
            self.let_it_be_known(why);
        }
        self.settle()?;
        let carriers = old.network_settings.bound();
        let carriers: Vec<u16> = carriers.iter().map(|publish| publish.host).collect();
        let drained = drain_ports(&old, &self.ports_of(&old), &carriers, args.drain);
        self.drained = Some(drained);
        // From here on nothing else serves.
        self.prove()?;
        progress(&format!("promote: stopping {}", names.old));
        let stop = || engine.stop(&old.id, args.stop_timeout);
        stop().or_else(|_| stop())?;
        if let Ok(passage) = passage {
            passage.linger(engine, calling.network, args.linger);
        }
        self.prove()
    }

    /// A promotion that was killed may have stopped it a moment ago.
    fn retire_stopped(&self, next: &Container, calling: Calling<'_>) -> Result<(), Trouble> {
        let Promotion {
            engine, args, live, ..
        } = self.promotion;
        let left = self.old.as_ref();
        let left = left.and_then(|old| Passage::adopt(engine, live, old, next));
        self.settle()?;
        if let Some(passage) = left {
            passage.linger(engine, calling.network, args.linger);
        }
        self.prove()
    }

    /// One that has looked the alias up before it moved knows no container but the old one: it
    /// must know the other as well before it can try again there.
    fn let_it_be_known(&self, why: &str) {
        let Promotion { args, names, .. } = self.promotion;
        warn(&format!(
            "promote: {} is called until it ends, and who calls must try again: {why}",
            names.old
        ));
        let _wait = waiting("promote: the new address is getting known");
        thread::sleep(args.linger);
    }

    /// All ports on which the container may be called.
    fn ports_of(&self, container: &Container) -> Vec<u16> {
        let looking = self.promotion.args.looking(Some(&self.recipe));
        let bound = container.network_settings.bound();
        let bound = bound.iter().map(|publish| publish.container);
        let exposed = container.config.exposed();
        bound.chain(exposed).chain(looking.probe.port).collect()
    }

    /// Undoes the move and tells how that went.
    pub(crate) fn move_back(mut self, mut trouble: Trouble, calling: Calling<'_>) -> Failure {
        progress(&format!("promote: rolling back: {}", trouble.message));
        let restored = self.give_back_name().or_else(|_| self.give_back_name());
        let undone = restored
            .and_then(|()| self.prove_restored())
            .and_then(|()| self.give_back_alias(calling));
        trouble.evidence.swap = self.measured();
        let undone = undone.map_err(|why| (why, self.moved_back_by_hand()));
        self.told(trouble, undone)
    }

    fn moved_back_by_hand(&self) -> String {
        let Promotion { engine, names, .. } = self.promotion;
        let found = engine.container(&names.live).ok().flatten();
        let named = found.is_some_and(|found| found.id == self.next);
        let away = named.then(|| format!("docker rename {} {}", names.live, names.candidate));
        let stop = format!("docker stop {}", names.candidate);
        let steps: Vec<String> = away
            .into_iter()
            .chain(self.old_by_hand())
            .chain([stop])
            .collect();
        format!(
            "run promote again with the same flags, which carries on from what it finds; or by hand: {}",
            steps.join(" && ")
        )
    }

    fn give_back_name(&self) -> Result<(), String> {
        let Promotion { engine, names, .. } = self.promotion;
        let next = match self.next.as_str() {
            "" => None,
            id => engine.container(id).map_err(|error| error.to_string())?,
        };
        if let Some(next) = next {
            let calm = if next.host_config.restart_policy.restarts() {
                engine.set_restart(&next.id, "no")
            } else {
                Ok(())
            };
            let named = next.name() == names.live;
            let renamed = calm.and_then(|()| match named {
                true => engine.rename(&next.id, &names.candidate),
                false => Ok(()),
            });
            renamed.map_err(|error| error.to_string())?;
        }
        self.restore_old()
    }

    /// What it has begun to answer it finishes. One that cannot lose the alias must not run.
    fn give_back_alias(&self, calling: Calling<'_>) -> Result<(), String> {
        let Promotion {
            engine, args, live, ..
        } = self.promotion;
        let said = |error: step::EngineError| error.to_string();
        if self.next.is_empty() {
            return Ok(());
        }
        let Some(next) = engine.container(&self.next).map_err(said)? else {
            return Ok(());
        };
        let old = self.old.as_ref().map(|old| engine.container(&old.id));
        let old = old.transpose().map_err(said)?.flatten();
        let passage = old
            .filter(|_| next.state.up())
            .map(|old| Passage::open(engine, live, calling.network, &next, &old));
        if matches!(passage, Some(Ok(_))) {
            drain_ports(&next, &self.ports_of(&next), &[], args.drain);
        }
        let taken = alias::take(engine, &next, calling.network, calling.alias);
        let gone = taken.or_else(|_| engine.stop(&next.id, args.stop_timeout));
        if let Some(Ok(passage)) = passage {
            passage.linger(engine, calling.network, args.linger);
        }
        gone.map_err(said)
    }
}
