//! Waiting until a container has no request in flight.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use step::engine::container::Container;
use step::model::port::Publish;
use step::terminal::progress;
use step::terminal::spinner::{Spinner, status, waiting};

use super::connections::{Connections, connections};

const PAUSE: Duration = Duration::from_millis(10);
/// A drain that takes longer is a wait that people are told of.
const UNNOTICED: Duration = Duration::from_millis(500);

/// How a drain went.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    pub(crate) waited: Duration,
    /// Whether the connections could be seen.
    pub(crate) is_seen: bool,
    /// Connections that are still open, with nothing asked on them or past the limit.
    pub(crate) open: usize,
    /// Those of them on which a client still waits.
    pub(crate) in_flight: usize,
}

impl Drained {
    /// Whether the container should end by itself: it may have connections to close.
    pub(crate) fn may_be_open(&self) -> bool {
        self.open > 0 || !self.is_seen
    }
}

/// Waits until no request is in flight on the container's ports, at most `limit`, nor on what `carried` finds: the
/// connections that a proxy or a forwarder takes for it. Such a one may hold a request of which it has passed on nothing
/// yet.
pub(crate) fn drain(
    container: &Container,
    publish: &[Publish],
    carried: impl Fn() -> io::Result<Connections>,
    limit: Duration,
) -> Drained {
    let ports: Vec<u16> = publish.iter().map(|publish| publish.container).collect();
    drain_ports(container, &ports, carried, limit)
}

/// As [`drain`], for a container's ports whether they are published or not.
pub(crate) fn drain_ports(
    container: &Container,
    ports: &[u16],
    carried: impl Fn() -> io::Result<Connections>,
    limit: Duration,
) -> Drained {
    let began = Instant::now();
    let mut drained = Drained {
        is_seen: true,
        ..Drained::default()
    };
    let mut quiet = 0;
    let mut wait: Option<Spinner> = None;
    while container.state.up() && !ports.is_empty() {
        let Ok(found) = look(container, ports, &carried).inspect_err(tell_unseen) else {
            drained.is_seen = false;
            break;
        };
        let Connections { open, in_flight } = found;
        (drained.open, drained.in_flight) = (open, in_flight);
        quiet = if in_flight == 0 { quiet + 1 } else { 0 };
        // Twice, because a request may arrive in the very millisecond of the last answer.
        if quiet > 1 {
            break;
        }
        if began.elapsed() > UNNOTICED {
            tell(&mut wait, container, found);
        }
        if began.elapsed() >= limit {
            progress(&format!(
                "promote: {in_flight} requests are still in flight after {limit:?}"
            ));
            break;
        }
        thread::sleep(PAUSE);
    }
    drained.waited = began.elapsed();
    drained
}

fn tell_unseen(error: &io::Error) {
    progress(&format!(
        "promote: requests in flight cannot be seen ({error}), so they are not waited for"
    ));
}

/// Shows people what is waited for.
fn tell(wait: &mut Option<Spinner>, container: &Container, found: Connections) {
    let what = || format!("promote: requests of {} are in flight", container.name());
    wait.get_or_insert_with(|| waiting(what()));
    let Connections { open, in_flight } = found;
    status(&format!("{in_flight} of {open} connections"));
}

/// Those that are carried are open in the container, too; some may not be there yet.
fn look(
    container: &Container,
    ports: &[u16],
    carried: impl Fn() -> io::Result<Connections>,
) -> io::Result<Connections> {
    let inside = connections(container.state.pid, ports)?;
    let carried = carried()?;
    Ok(Connections {
        open: inside.open.max(carried.open),
        in_flight: inside.in_flight + carried.in_flight,
    })
}
