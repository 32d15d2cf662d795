//! Where clients come in. Where files or memory have run out, they wait in the kernel's queue until some is free again.

use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{Shutdown, SocketFlags, accept_with, shutdown};

use super::events::{Events, Source};

/// Until what has run out may be free again.
const PAUSE: Duration = Duration::from_millis(10);
/// How many come in before those who are inside have their turn.
const AT_ONCE: usize = 64;

pub(super) struct Doors {
    listeners: Vec<TcpListener>,
    /// Taken from the kernel's queue, before it was known that there is nothing to serve it with.
    held: Option<OwnedFd>,
    /// When to look again, although the kernel tells of nobody new.
    again: Option<Instant>,
}

impl Doors {
    /// # Errors
    /// Where a listener cannot be watched.
    pub(super) fn open(listeners: Vec<TcpListener>, events: &Events) -> io::Result<Self> {
        for listener in &listeners {
            listener.set_nonblocking(true)?;
            events.add(listener, Source::Door)?;
        }
        Ok(Self {
            listeners,
            held: None,
            again: None,
        })
    }

    pub(super) fn again(&self) -> Option<Instant> {
        self.again
    }

    /// Whether somebody has come in who is not served yet.
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Hands all who wait to `take`, which gives back whom it has nothing to serve with.
    pub(super) fn let_in(&mut self, mut take: impl FnMut(OwnedFd) -> Result<(), OwnedFd>) {
        self.held = self.held.take().and_then(|client| take(client).err());
        let mut again = Vec::new();
        for listener in &self.listeners {
            let mut came_in = 0;
            while self.held.is_none() {
                match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                    Ok(client) => self.held = take(client).err(),
                    Err(Errno::AGAIN) => break,
                    // Gone before it came in.
                    Err(Errno::CONNABORTED | Errno::INTR) => {}
                    Err(_) => {
                        again.push(Instant::now() + PAUSE);
                        break;
                    }
                }
                came_in += 1;
                if came_in == AT_ONCE {
                    again.push(Instant::now());
                    break;
                }
            }
        }
        again.extend(self.held.as_ref().map(|_| Instant::now() + PAUSE));
        self.again = again.into_iter().min();
    }

    /// Nobody comes in any more; who waits is refused.
    pub(super) fn close(&mut self) {
        for listener in self.listeners.drain(..) {
            // The process has it as one of its streams as well, so dropping it would not close it.
            let _ = shutdown(&listener, Shutdown::Both);
        }
        (self.held, self.again) = (None, None);
    }
}
