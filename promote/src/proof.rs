//! Proving the new container: on its own address, and then as clients reach it.

use std::thread;
use std::time::{Duration, Instant};

use step::{
    Attempt, By, Container, Crash, Looking, Patience, Proof, Publish, Target, Unhealthy,
    await_health, waiting,
};

use crate::failure::Evidence;
use crate::promote::Promotion;
use crate::swap::{Swapping, watched_port};
use crate::trouble::Trouble;

/// How long the new container may be sick while it settles: a busy app may miss one look.
const SICK_FOR: Duration = Duration::from_secs(1);
/// Between two looks while it settles.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the new container may take to answer through the host port once it is healthy.
const PORT_WITHIN: Duration = Duration::from_secs(3);

impl Swapping<'_> {
    /// The new container is healthy on its own address.
    pub(crate) fn prove(&self) -> Result<(), Trouble> {
        let Promotion { engine, args, .. } = self.promotion;
        let (next, target) = self.own_target()?;
        let _wait = waiting(format!(
            "promote: waiting for {} at {}",
            next.name(),
            target.shown
        ));
        let looked = await_health(Some(engine), &target, &args.patience());
        self.judge(&next, looked)
    }

    /// The new container, and its own address.
    fn own_target(&self) -> Result<(Container, Target), Trouble> {
        let Promotion { engine, args, .. } = self.promotion;
        let next = engine.container(&self.next)?.ok_or_else(vanished)?;
        let looking = args.looking(Some(&self.recipe));
        let target = Target::container(&next, &looking, By::OwnAddress);
        let target = target.map_err(|why| self.unhealthy(&next, &why, None, Vec::new()))?;
        Ok((next, target))
    }

    fn judge(&self, next: &Container, looked: Result<Proof, Unhealthy>) -> Result<(), Trouble> {
        match looked {
            Ok(_) => Ok(()),
            Err(Unhealthy::Engine(error)) => Err(error.into()),
            Err(Unhealthy::Gone | Unhealthy::Interrupted) => Err(vanished()),
            Err(Unhealthy::Crashed(crash, last)) => {
                Err(self.unhealthy(next, "it ended", Some(crash), last))
            }
            Err(Unhealthy::NotInTime(proof)) => {
                let why = format!("the last look saw: {}", proof.saw());
                Err(self.unhealthy(next, &why, None, proof.last))
            }
        }
    }

    /// The new container stays healthy for as long as `--settle` says.
    pub(crate) fn settle(&self) -> Result<(), Trouble> {
        let Promotion { engine, args, .. } = self.promotion;
        if args.settle.is_zero() {
            return Ok(());
        }
        let _wait = waiting(format!("promote: watching it for {:?}", args.settle));
        let target = self.own_target()?;
        let end = Instant::now() + args.settle;
        while Instant::now() < end {
            thread::sleep(LOOK_EVERY);
            let looked = await_health(Some(engine), &target.1, &Patience::of(SICK_FOR));
            self.judge(&target.0, looked)?;
        }
        Ok(())
    }

    fn unhealthy(
        &self,
        next: &Container,
        why: &str,
        crash: Option<Crash>,
        last_attempts: Vec<Attempt>,
    ) -> Trouble {
        let log = self
            .promotion
            .engine
            .log_tail(&next.id, 20, &next.secrets());
        let evidence = Evidence {
            crash,
            last_attempts,
            log,
            ..Evidence::default()
        };
        Trouble::unhealthy(
            format!("the new container was not healthy: {why}"),
            evidence,
        )
    }

    /// Healthy on its own address is not yet healthy for clients, nor for long.
    pub(crate) fn prove_for_clients(&self) -> Result<(), Trouble> {
        self.prove_port()?;
        self.settle()
    }

    pub(crate) fn prove_port(&self) -> Result<(), Trouble> {
        if let Some(bridge) = &self.bridge {
            bridge.close().map_err(Trouble::not_started)?;
        }
        let args = self.promotion.args;
        let looking = args.looking(Some(&self.recipe));
        let Some(publish) = watched_port(&self.recipe, looking.probe.port) else {
            return Ok(());
        };
        let Err(proof) = answers(publish, &looking, PORT_WITHIN) else {
            return Ok(());
        };
        let port = publish.host;
        let message = format!(
            "the new container is healthy, but not through the host port {port}: {}",
            proof.saw()
        );
        let evidence = Evidence {
            last_attempts: proof.last,
            ..Evidence::default()
        };
        Err(Trouble::unhealthy(message, evidence))
    }

    /// The old container, started again, is healthy.
    pub(crate) fn prove_old(&self, id: &str) -> Result<(), String> {
        let Promotion {
            engine,
            args,
            names,
            ..
        } = self.promotion;
        // A rollback does not end with one answer that did not come.
        let old = engine.container(id).or_else(|_| engine.container(id));
        let old = old.map_err(|error| error.to_string())?;
        let old = old.ok_or_else(|| format!("{} does not exist any more", names.live))?;
        let recipe = step::Recipe::of(&old);
        let looking = args.looking(recipe.as_ref().or(Some(&self.recipe)));
        let target = Target::container(&old, &looking, By::OwnAddress)?;
        let _wait = waiting(format!("promote: waiting for {} again", names.live));
        let healthy = await_health(Some(engine), &target, &args.patience());
        healthy
            .map(drop)
            .map_err(|_| format!("{} runs again but is not healthy", names.live))
    }
}

/// Asks through the host port until the answer is healthy.
///
/// # Errors
/// What was seen instead, when the time is over.
pub(crate) fn answers(publish: &Publish, looking: &Looking, within: Duration) -> Result<(), Proof> {
    let target = Target::host_port(publish, looking);
    match await_health(None, &target, &Patience::of(within)) {
        Err(Unhealthy::NotInTime(proof)) => Err(proof),
        _ => Ok(()),
    }
}

pub(crate) fn vanished() -> Trouble {
    Trouble::not_started("the new container vanished".to_owned())
}
