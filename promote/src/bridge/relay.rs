//! The forwarder's connections, all of them by one thread.
//!
//! Two threads for each connection were simple. But 400 idle clients of a unit with `TasksMax=300` ended everything: no
//! thread could be started, neither here nor in the promotion. So one thread waits by epoll for whatever happens.
//! An idle connection takes 48 bytes of memory, and took 35 KiB by threads (measured).
//!
//! Bytes stay in the sender's socket until the receiver's has them: they are looked at, passed on, and thrown away there.
//! So there is one buffer for all, nothing is held, and a slow client stops its sender. That took 400 to 610 ms of a
//! processor for a GiB; a copy by parts of 8 KiB took 650 to 760 ms (measured side by side). Splicing took 200 to
//! 480 ms by the size of the pipe, and was no faster. It would need two more files for each direction that is stuck, when
//! files may be what has run out.
//!
//! Where files, memory or ports have run out, nobody is refused: clients wait in the kernel's queue. A few files are kept
//! for `nft`, which ends the bridge.

mod connection;
mod connections;
pub(crate) mod datagrams;
mod direction;
mod doors;
mod events;
mod files;
mod packets;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use rustix::fd::AsFd;

use connections::Connections;
use doors::Doors;
use events::{Events, Source};
use files::{KEPT, allow};

/// How long what the candidate had answered when it ended is handed out.
pub(crate) const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// How the relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was told to stop, and nothing is open any more.
    Stopped,
    /// The candidate ended, after the relay was told to stop or not.
    Lost { is_told: bool },
}

/// Forwards connections to the candidate.
pub(crate) struct Relay {
    events: Events,
    doors: Doors,
    connections: Connections,
    is_told: bool,
    is_lost: bool,
}

impl Relay {
    /// Whatever comes in at the listeners goes to the candidate. Its process has ended when `end` is readable, and the
    /// relay is told to stop when `stop` is. Both stay open as long as it runs.
    ///
    /// # Errors
    /// Where the kernel cannot watch them.
    pub(crate) fn new(
        listeners: Vec<TcpListener>,
        candidate: SocketAddr,
        end: &impl AsFd,
        stop: &impl AsFd,
    ) -> io::Result<Self> {
        allow(KEPT);
        let events = Events::new()?;
        events.add(end, Source::End)?;
        events.add(stop, Source::Stop)?;
        Ok(Self {
            doors: Doors::open(listeners, &events)?,
            connections: Connections::to(candidate),
            events,
            is_told: false,
            is_lost: false,
        })
    }

    /// Forwards until the candidate ends, or until the last connection after it was told to stop.
    ///
    /// # Errors
    /// Where nothing can be waited for.
    pub(crate) fn run(&mut self) -> io::Result<End> {
        loop {
            self.turn(None)?;
            if self.is_lost {
                let is_told = self.is_told;
                return Ok(End::Lost { is_told });
            }
            if self.is_told && !self.is_open() {
                // Who came in just now is served as well.
                self.let_in();
                if !self.is_open() {
                    return Ok(End::Stopped);
                }
            }
        }
    }

    /// Lets nobody in any more: the candidate's address may be another container's by now.
    pub(crate) fn close(&mut self) {
        self.doors.close();
        self.connections.end_connecting();
        // What ends the bridge may need files.
        allow(0);
    }

    /// Returns when all that the candidate has answered is with the kernel, or after [`LAST_ANSWERS`].
    pub(crate) fn hand_out(&mut self) {
        let end = Instant::now() + LAST_ANSWERS;
        while self.connections.is_answering() && Instant::now() < end {
            if self.turn(Some(end)).is_err() {
                return;
            }
        }
    }

    fn is_open(&self) -> bool {
        self.connections.is_open() || self.doors.holds()
    }

    fn let_in(&mut self) {
        let (connections, events) = (&mut self.connections, &self.events);
        self.doors.let_in(|client| connections.take(client, events));
    }

    /// Waits for the next events, at most until `limit`, and does what they allow.
    fn turn(&mut self, limit: Option<Instant>) -> io::Result<()> {
        let deadlines = [limit, self.doors.again(), self.connections.next_deadline()];
        let until = deadlines.into_iter().flatten().min();
        let mut is_called = false;
        for (source, change) in self.events.wait(until)? {
            match source {
                Source::End => self.is_lost = true,
                Source::Stop => self.is_told = true,
                Source::Door => is_called = true,
                Source::Socket(place, side) => {
                    self.connections.go_on(place, side, change, &self.events);
                }
            }
        }
        if is_called || self.doors.again().is_some_and(|at| at <= Instant::now()) {
            self.let_in();
        }
        Ok(())
    }
}
