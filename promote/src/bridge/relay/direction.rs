//! One direction of a connection: bytes go from one socket to the other, and none of them is held in between.
//!
//! Bytes are looked at where they are, in the sender's socket. They are taken from there once the receiver's socket has
//! them. So what a slow receiver leaves stays with the kernel, which has the sender wait. There is no buffer for each
//! connection, and no pipe.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

/// How often one direction may copy a full buffer before others have their turn.
const TURNS: usize = 16;

/// How far a direction got, which is what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The sender has no more for now.
    Dry,
    /// The receiver takes no more for now.
    Full,
    /// There may be more, but others have a turn first.
    Turn,
    /// The sender has said its last, or the receiver is gone.
    Ended,
    /// The sender was lost: there is nobody to answer either.
    Broken,
}

/// Copies by way of `buffer` until there is something to wait for. An end is passed on to the receiver.
pub(super) fn copy(from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> Flow {
    for _ in 0..TURNS {
        match copy_once(from, to, buffer) {
            Ok(()) | Err(Stop::Again) => {}
            Err(Stop::At(flow)) => {
                if flow == Flow::Ended {
                    // A receiver that is gone needs no word.
                    let _ = shutdown(to, Shutdown::Write);
                }
                return flow;
            }
        }
    }
    Flow::Turn
}

/// Why the copying stops.
enum Stop {
    /// A signal came in between.
    Again,
    At(Flow),
}

fn copy_once(from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> Result<(), Stop> {
    let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let waiting = match recv(from, &mut *buffer, peek).map(|(_, waiting)| waiting) {
        Ok(0) => return Err(Stop::At(Flow::Ended)),
        Ok(waiting) => &buffer[..waiting],
        Err(error) => return Err(stop(error, Flow::Dry, Flow::Broken)),
    };
    let passed = send(to, waiting, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
        .map_err(|error| stop(error, Flow::Full, Flow::Ended))?;
    // A send that falls short is told of like one that is refused: once there is room again.
    let is_full = passed < waiting.len();
    // Thrown away by the kernel, so nothing is copied again.
    let taken = recv(
        from,
        &mut buffer[..passed],
        RecvFlags::TRUNC | RecvFlags::DONTWAIT,
    );
    match taken {
        Ok((_, taken)) if taken == passed && is_full => Err(Stop::At(Flow::Full)),
        Ok((_, taken)) if taken == passed => Ok(()),
        _ => Err(Stop::At(Flow::Broken)),
    }
}

fn stop(error: Errno, wait: Flow, end: Flow) -> Stop {
    match error {
        Errno::INTR => Stop::Again,
        Errno::AGAIN => Stop::At(wait),
        _ => Stop::At(end),
    }
}
