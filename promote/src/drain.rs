//! Waiting until a container has no request in flight.

use std::thread;
use std::time::{Duration, Instant};

use step::{Container, Publish, progress};

use crate::sockets::in_flight;

const PAUSE: Duration = Duration::from_millis(10);

/// How a drain went.
#[derive(Debug)]
pub(crate) struct Drained {
    pub(crate) waited: Duration,
    /// `tcp_info`, or `unknown` where the connections could not be seen.
    pub(crate) by: &'static str,
}

/// Waits until no request is in flight on the container's `ports`, at most `limit`.
pub(crate) fn drain(container: &Container, publish: &[Publish], limit: Duration) -> Drained {
    let ports: Vec<u16> = publish.iter().map(|publish| publish.container).collect();
    let began = Instant::now();
    let mut quiet = 0;
    while container.state.up() && !ports.is_empty() {
        match in_flight(container.state.pid, &ports) {
            Err(error) => {
                progress(&format!(
                    "promote: requests in flight cannot be seen ({error}), so they are not waited for"
                ));
                return Drained {
                    waited: began.elapsed(),
                    by: "unknown",
                };
            }
            // Twice, because a request may arrive in the very millisecond of the last answer.
            Ok(0) if quiet > 0 => break,
            Ok(0) => quiet += 1,
            Ok(_) => quiet = 0,
        }
        if began.elapsed() >= limit {
            progress(&format!(
                "promote: requests are still in flight after {limit:?}"
            ));
            break;
        }
        thread::sleep(PAUSE);
    }
    Drained {
        waited: began.elapsed(),
        by: "tcp_info",
    }
}
