//! Clients that stay connected to the candidate after the swap.
//!
//! Whoever keeps a connection, as WebSockets do, was cut twice: when the old container ended, and two or three seconds
//! later when the candidate did, which they had come back to. An idle connection cannot be moved to another container. So
//! the candidate stays beside the final container until its clients have left, if `--keep-connections` gives them time.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use step::engine::Engine;
use step::engine::container::Container;
use step::ownership::marks::recipe_of;

use crate::args::Args;
use crate::traffic::connections::connections;

const PAUSE: Duration = Duration::from_secs(1);

/// Returns when nobody is connected to the candidate any more, and after `time` at the latest. Tells whether it is still
/// there.
pub(super) fn until_left(args: &Args, time: Duration) -> io::Result<bool> {
    let end = Instant::now() + time;
    let engine = Engine::find(&args.common.engine).map_err(io::Error::other)?;
    let Some(id) = &args.handoff.candidate_id else {
        return Ok(false);
    };
    let find = || engine.container(id).map_err(io::Error::other);
    let Some(candidate) = find()? else {
        return Ok(false);
    };
    while Instant::now() < end && has_clients(&candidate) {
        thread::sleep(PAUSE);
    }
    Ok(find()?.is_some())
}

/// Once it has ended there is no network to look at.
fn has_clients(candidate: &Container) -> bool {
    let publish = recipe_of(candidate).unwrap_or_default().tcp();
    let ports: Vec<u16> = publish.iter().map(|it| it.container).collect();
    connections(candidate.state.pid, &ports).is_ok_and(|it| it.open > 0)
}
