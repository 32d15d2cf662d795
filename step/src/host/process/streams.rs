//! The streams of a program, read while it runs.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// As much as a pipe holds.
const PART: usize = 64 << 10;

/// What a child writes.
pub(super) struct Stream {
    /// None once it has ended.
    pipe: Option<File>,
    kept: Vec<u8>,
}

impl Stream {
    pub(super) fn of(pipe: Option<impl Into<OwnedFd>>) -> Self {
        Self {
            pipe: pipe.map(|pipe| File::from(pipe.into())),
            kept: Vec::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Reads what is there, and keeps no more than `longest` bytes of all that came.
    fn read(&mut self, part: &mut [u8], longest: u64) {
        let read = self.pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(part));
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => self.pipe = None,
            Ok(read) => {
                let room = usize::try_from(longest).unwrap_or(usize::MAX) - self.kept.len();
                self.kept.extend(&part[..read.min(room)]);
            }
        }
    }

    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

/// Waits until a stream has something to read, at most for `time`, and reads that.
pub(super) fn read_next(streams: [&mut Stream; 2], time: Duration, longest: u64) {
    let open = streams.into_iter().filter(|stream| stream.is_open());
    let mut open: Vec<&mut Stream> = open.collect();
    let pipes = open.iter().filter_map(|stream| stream.pipe.as_ref());
    let mut polled: Vec<PollFd> = pipes.map(|it| PollFd::new(it, PollFlags::IN)).collect();
    let time = Timespec::try_from(time).unwrap_or_default();
    // Whatever keeps it from being told is over at the next look.
    let _ = poll(&mut polled, Some(&time));
    let ready: Vec<bool> = polled.iter().map(|it| !it.revents().is_empty()).collect();
    let mut part = [0; PART];
    for (stream, _) in open.iter_mut().zip(ready).filter(|it| it.1) {
        stream.read(&mut part, longest);
    }
}
