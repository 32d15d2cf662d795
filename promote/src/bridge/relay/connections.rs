//! All connections of the moment, each at a place.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;

use super::connection::Connection;
use super::events::{Events, Side};

/// As much as is copied at once.
const BUFFER: usize = 64 << 10;

pub(super) struct Connections {
    candidate: SocketAddr,
    places: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Free once the events that are at hand are over: some may be of who was there.
    freed: Vec<usize>,
    /// Those whom the candidate may not have accepted yet, and until when it may take, in this order.
    connecting: VecDeque<(Instant, usize)>,
    /// Shared by all of them, as nothing stays in it.
    buffer: Vec<u8>,
}

impl Connections {
    pub(super) fn to(candidate: SocketAddr) -> Self {
        Self {
            candidate,
            places: Vec::new(),
            free: Vec::new(),
            freed: Vec::new(),
            connecting: VecDeque::new(),
            buffer: vec![0; BUFFER],
        }
    }

    /// Takes a client in.
    ///
    /// # Errors
    /// The client, where something has run out that may be there again later. One that cannot be connected for
    /// another reason is closed.
    pub(super) fn take(&mut self, client: OwnedFd, events: &Events) -> Result<(), OwnedFd> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        match Connection::begin(client, self.candidate, events, place) {
            Ok(begun) => {
                let until = begun.connecting().map(|until| (until, place));
                self.connecting.extend(until);
                self.places[place] = Some(begun);
                Ok(())
            }
            Err(client) => {
                self.free.push(place);
                client.map_or(Ok(()), Err)
            }
        }
    }

    /// Does what a change at a socket allows.
    pub(super) fn go_on(&mut self, place: usize, side: Side, change: EventFlags, events: &Events) {
        let Some(connection) = self.places.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        if connection.go_on(side, change, &mut self.buffer) {
            connection.take_turns(events, place);
        } else {
            self.close(place);
        }
    }

    fn close(&mut self, place: usize) {
        self.places[place] = None;
        self.freed.push(place);
    }

    /// To be called when the events that were at hand are over. Returns when the next connect has taken too long.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        self.free.append(&mut self.freed);
        while let Some(&(until, place)) = self.connecting.front() {
            let is_connecting = self.until(place) == Some(until);
            if is_connecting && until > Instant::now() {
                return Some(until);
            }
            if is_connecting {
                self.close(place);
            }
            self.connecting.pop_front();
        }
        None
    }

    fn until(&self, place: usize) -> Option<Instant> {
        self.places[place].as_ref().and_then(Connection::connecting)
    }

    /// Gives up those whom the candidate has not accepted.
    pub(super) fn end_connecting(&mut self) {
        for (until, place) in std::mem::take(&mut self.connecting) {
            if self.until(place) == Some(until) {
                self.close(place);
            }
        }
    }

    /// Whether any is open.
    pub(super) fn is_open(&self) -> bool {
        self.places.len() > self.free.len() + self.freed.len()
    }

    /// Whether the candidate may still say something on any of them.
    pub(super) fn is_answering(&self) -> bool {
        self.places.iter().flatten().any(Connection::is_answering)
    }
}
