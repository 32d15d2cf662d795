//! One connection: a client's socket, the app's, and a direction from each to the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{set_tcp_nodelay, socket_error};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::direction::{Flow, copy};
use super::events::{Events, Side, Source};

/// How long the candidate may take to accept.
const CONNECT: Duration = Duration::from_secs(5);
const SIDES: [Side; 2] = [Side::Client, Side::App];

/// Dropped, both of its sockets close.
pub(super) struct Connection {
    /// Of the client, and of the app.
    sockets: [OwnedFd; 2],
    /// How far the direction got that begins there.
    flows: [Flow; 2],
    /// Until when the app may take to accept; none once it has.
    connecting: Option<Instant>,
}

impl Connection {
    /// Begins to connect a client to the candidate. The events of its sockets name `place`.
    ///
    /// # Errors
    /// Where it cannot be. Has the client where something has run out that may be there again later.
    pub(super) fn begin(
        client: OwnedFd,
        candidate: SocketAddr,
        events: &Events,
        place: usize,
    ) -> Result<Self, Option<OwnedFd>> {
        let begin = || {
            set_tcp_nodelay(&client, true)?;
            let app = connect_to(candidate)?;
            events.add(&app, Source::Socket(place, Side::App))?;
            events.add(&client, Source::Socket(place, Side::Client))?;
            Ok(app)
        };
        match begin() {
            Ok(app) => Ok(Self {
                sockets: [client, app],
                flows: [Flow::Dry; 2],
                connecting: Some(Instant::now() + CONNECT),
            }),
            Err(error) => Err(has_run_out(error).then_some(client)),
        }
    }

    pub(super) fn connecting(&self) -> Option<Instant> {
        self.connecting
    }

    /// Whether the app may still say something.
    pub(super) fn is_answering(&self) -> bool {
        self.flows[Side::App as usize] != Flow::Ended
    }

    /// Does what a change at the socket of `side` allows, by way of `buffer`. Returns whether the connection goes on.
    pub(super) fn go_on(&mut self, side: Side, change: EventFlags, buffer: &mut [u8]) -> bool {
        if self.connecting.is_some() {
            return self.stand(side, change, buffer);
        }
        let lost = EventFlags::HUP | EventFlags::ERR;
        let (from, to) = (side as usize, side.other() as usize);
        let is_said = change.intersects(EventFlags::IN | EventFlags::RDHUP | lost);
        if is_said && self.flows[from] != Flow::Full {
            self.copy(side, buffer);
        }
        let is_room = change.intersects(EventFlags::OUT | lost);
        if is_room && self.flows[to] == Flow::Full {
            self.copy(side.other(), buffer);
        }
        self.flows != [Flow::Ended; 2]
    }

    /// What was said while the app had not accepted was not listened to.
    fn stand(&mut self, side: Side, change: EventFlags, buffer: &mut [u8]) -> bool {
        match socket_error(&self.sockets[Side::App as usize]) {
            Ok(Ok(())) if side == Side::App && change.contains(EventFlags::OUT) => {
                self.connecting = None;
                SIDES.into_iter().for_each(|side| self.copy(side, buffer));
                self.flows != [Flow::Ended; 2]
            }
            Ok(Ok(())) => true,
            _ => false,
        }
    }

    fn copy(&mut self, side: Side, buffer: &mut [u8]) {
        let (from, to) = (side as usize, side.other() as usize);
        if self.flows[from] == Flow::Ended {
            return;
        }
        match copy(&self.sockets[from], &self.sockets[to], buffer) {
            Flow::Broken => self.flows = [Flow::Ended; 2],
            flow => self.flows[from] = flow,
        }
    }

    /// Has its turn come again where a direction was broken off for others.
    pub(super) fn take_turns(&self, events: &Events, place: usize) {
        for side in SIDES {
            if self.flows[side as usize] == Flow::Turn {
                events.again(&self.sockets[side as usize], Source::Socket(place, side));
            }
        }
    }
}

fn connect_to(candidate: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match candidate {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let app = socket_with(family, SocketType::STREAM, flags, None)?;
    set_tcp_nodelay(&app, true)?;
    match connect(&app, &candidate) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(app),
        Err(error) => Err(error),
    }
}

/// Files, memory or ports, which others give back.
fn has_run_out(error: Errno) -> bool {
    let of_files = [Errno::MFILE, Errno::NFILE];
    let of_memory = [Errno::NOMEM, Errno::NOBUFS, Errno::NOSPC];
    let of_ports = [Errno::ADDRNOTAVAIL, Errno::AGAIN];
    [&of_files[..], &of_memory, &of_ports]
        .concat()
        .contains(&error)
}
