//! Clients that stay connected to the candidate after the swap.
//!
//! A client that keeps its connection, as WebSockets do, was cut twice. The old container's end cut it. It came back to the
//! candidate, which ended two or three seconds later. An open connection cannot be moved to another container. So the
//! candidate stays beside the final container until its clients have left, if `--keep-connections` gives them time.
//!
//! The same command, run again, would end it as well. But an hour later the app may be stopped, or be another one, and
//! nobody has asked for a promotion. So only this very container is ended, and nothing else is touched.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::container::Container;
use step::signals::interrupted;

use super::told;
use crate::args::Args;
use crate::failure::Failure;
use crate::state::State;
use crate::swap::kept;
use crate::traffic::connections::connections;

const PAUSE: Duration = Duration::from_secs(1);
/// How long an engine may fail to end it, as while it is restarted.
const TRIED_FOR: Duration = Duration::from_secs(600);
const PAUSE_OF_TRIES: Duration = Duration::from_secs(5);

/// Ends the candidate when nobody is connected to it any more, and after `time` at the latest. What goes wrong is for
/// the system's log, as the promotion has reported long ago.
pub(super) fn end_later(args: &Args, time: Duration) -> io::Result<()> {
    let engine = Engine::find(&args.common.engine).map_err(io::Error::other)?;
    let Some(id) = &args.handoff.candidate_id else {
        return Ok(());
    };
    await_leave(&engine, id, Instant::now() + time);
    let end = Instant::now() + TRIED_FOR;
    while !interrupted() {
        match end_candidate(args, &engine, id) {
            Ok(()) => return Ok(()),
            Err(why) if Instant::now() > end => {
                told::log(&format!(
                    "a candidate that clients stayed connected to is left: {why}"
                ));
                return Ok(());
            }
            Err(_) => thread::sleep(PAUSE_OF_TRIES),
        }
    }
    Ok(())
}

fn await_leave(engine: &Engine, id: &str, end: Instant) {
    let mut candidate = None;
    while Instant::now() < end && !interrupted() {
        candidate = candidate.or_else(|| engine.container(id).ok());
        let is_left = |it: &Option<Container>| !it.as_ref().is_some_and(has_clients);
        if candidate.as_ref().is_some_and(is_left) {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Where they cannot be seen for a moment there may be some as long as it runs.
fn has_clients(candidate: &Container) -> bool {
    let publish = kept::published(candidate);
    let ports: Vec<u16> = publish.iter().map(|it| it.container).collect();
    let pid = candidate.state.pid;
    match connections(pid, &ports) {
        Ok(found) => found.open > 0,
        Err(_) => Path::new("/proc").join(pid.to_string()).exists(),
    }
}

/// Not where another has its place by now, or a promotion is unfinished.
fn end_candidate(args: &Args, engine: &Engine, id: &str) -> Result<(), Failure> {
    let (app, live, _) = args.identity.known().map_err(CommonFailure::Usage)?;
    let lock = engine.lock(live, args.common.engine.engine_timeout)?;
    let lock = lock.ok_or_else(|| Failure::Locked(live.to_string()))?;
    let engine = engine.clone().holding(&lock);
    let state = State::read(&engine, app, live).map_err(CommonFailure::from)?;
    match state.candidate.filter(|it| it.id == id) {
        Some(candidate) if state.old.is_none() && state.next.is_none() => {
            Ok(kept::end(&engine, args, live, &candidate)?)
        }
        _ => Ok(()),
    }
}
