//! What the relay waits for, all of it by one epoll.

use std::io;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

/// As many as are handled before the deadlines are looked at.
const AT_ONCE: usize = 256;
/// Words before the places of connections.
const WORDS: u64 = 4;

/// Whose socket of a connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    App,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::App,
            Self::App => Self::Client,
        }
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The candidate's process ended.
    End,
    /// SIGTERM came.
    Stop,
    /// Somebody may wait at a listener.
    Door,
    /// A socket of the connection at a place.
    Socket(usize, Side),
}

impl Source {
    fn word(self) -> u64 {
        match self {
            Self::End => 0,
            Self::Stop => 1,
            Self::Door => 2,
            Self::Socket(place, side) => WORDS + 2 * place as u64 + side as u64,
        }
    }

    fn of(word: u64) -> Self {
        let place = || usize::try_from((word - WORDS) / 2).unwrap_or(usize::MAX);
        match word {
            0 => Self::End,
            1 => Self::Stop,
            2..WORDS => Self::Door,
            _ if word.is_multiple_of(2) => Self::Socket(place(), Side::Client),
            _ => Self::Socket(place(), Side::App),
        }
    }
}

/// Told of each change once, so what is not done at once has to be asked for again.
pub(super) struct Events {
    epoll: OwnedFd,
    ready: Vec<Event>,
}

impl Events {
    /// # Errors
    /// Where there can be no epoll.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            ready: Vec::with_capacity(AT_ONCE),
        })
    }

    /// Tells of `file` until it is closed.
    ///
    /// # Errors
    /// Where the kernel cannot watch one more.
    pub(super) fn add(&self, file: impl AsFd, source: Source) -> Result<(), Errno> {
        let data = EventData::new_u64(source.word());
        epoll::add(&self.epoll, file, data, changes(source))
    }

    /// Tells of `file` once more, after the others, if there is still anything to tell.
    pub(super) fn again(&self, file: impl AsFd, source: Source) {
        let data = EventData::new_u64(source.word());
        // It is watched already, and needs nothing that could have run out.
        let _ = epoll::modify(&self.epoll, file, data, changes(source));
    }

    /// Waits until something happens, or until the moment `until`.
    ///
    /// # Errors
    /// Where it is not to be waited for.
    pub(super) fn wait(&mut self, until: Option<Instant>) -> io::Result<Vec<(Source, EventFlags)>> {
        let left = until.map(|until| timespec(until.saturating_duration_since(Instant::now())));
        self.ready.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.ready), left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = self.ready.iter();
        Ok(ready
            .map(|it| (Source::of(it.data.u64()), it.flags))
            .collect())
    }
}

/// What is told of: something to read, and of a connection room and ends as well.
fn changes(source: Source) -> EventFlags {
    let of_connection = match source {
        Source::Socket(..) => EventFlags::OUT | EventFlags::RDHUP,
        _ => EventFlags::empty(),
    };
    EventFlags::IN | EventFlags::ET | of_connection
}

fn timespec(time: Duration) -> Timespec {
    // Never negative, and far below what either can hold.
    Timespec::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_told_from_the_others() {
        let sockets = [0, 1, 9_999]
            .map(|place| [Side::Client, Side::App].map(|side| Source::Socket(place, side)));
        let all = [Source::End, Source::Stop, Source::Door];
        for source in all.into_iter().chain(sockets.into_iter().flatten()) {
            assert_eq!(Source::of(source.word()), source);
        }
    }
}
