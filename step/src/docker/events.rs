//! Learning at once that a container ended, from the engine's event stream.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Engine, EngineError};
use crate::child::end_group;
use crate::time::{now_unix, stamp};

/// The CLI is asked for so much at a time and then again: where this process is killed, it waits
/// for nobody no longer than that.
const SLICE: Duration = Duration::from_secs(15);
/// Before an engine that hung up is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// What the event stream tells of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Its main process ended.
    End,
    /// The stream ended before its time, as when the engine restarts or the clock is set: what
    /// happens to the container meanwhile may not be heard.
    HangUp,
}

/// Watches one container until dropped.
#[derive(Debug)]
pub struct Death {
    /// The CLI that listens now.
    listener: Arc<Mutex<Listener>>,
}

#[derive(Debug)]
struct Listener {
    child: Child,
    wanted: bool,
}

impl Engine {
    /// Calls `on_hear` with [`Heard::End`] each time the container's main process ends (docker
    /// says `die`, podman `died`), from `since` before now on, and with [`Heard::HangUp`] each
    /// time it could not listen.
    ///
    /// # Errors
    /// When the CLI cannot be run.
    pub fn on_death(
        &self,
        id: &str,
        since: Duration,
        on_hear: impl Fn(Heard) + Send + 'static,
    ) -> Result<Death, EngineError> {
        let (cli, id) = (self.cli.clone(), id.to_owned());
        let listen = move |slice: &Slice| {
            let (since, until) = (stamp(slice.since), stamp(slice.until));
            Command::new(&cli)
                .args(["events", "--since", &since, "--until", &until])
                .args(["--filter", &format!("container={id}")])
                .args(["--filter", "event=die", "--filter", "event=died"])
                .args(["--format", "{{json .}}"])
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| EngineError::NoCli(format!("{}: {error}", cli.display())))
        };
        let now = now_unix();
        let slice = Slice::from(now.saturating_sub(since), now);
        let child = listen(&slice)?;
        let wanted = true;
        let listener = Arc::new(Mutex::new(Listener { child, wanted }));
        let shared = Arc::clone(&listener);
        thread::spawn(move || attend(&shared, slice, listen, on_hear));
        Ok(Death { listener })
    }
}

fn attend(
    listener: &Mutex<Listener>,
    mut slice: Slice,
    listen: impl Fn(&Slice) -> Result<Child, EngineError>,
    on_hear: impl Fn(Heard),
) {
    loop {
        let stdout = listener
            .lock()
            .ok()
            .and_then(|mut it| it.child.stdout.take());
        let lines = stdout.into_iter().flat_map(|it| BufReader::new(it).lines());
        let heard = lines.map_while(Result::ok);
        heard.for_each(|_| on_hear(Heard::End));
        let whole = slice.is_over(slice.began.elapsed());
        if !whole {
            on_hear(Heard::HangUp);
            thread::sleep(PAUSE);
        }
        slice = slice.next(whole, now_unix());
        let Ok(mut listener) = listener.lock() else {
            return;
        };
        if !listener.wanted {
            return;
        }
        let Ok(child) = listen(&slice) else {
            return;
        };
        let mut done = std::mem::replace(&mut listener.child, child);
        let _ = done.wait();
    }
}

/// How long the engine is listened to at a time. The clock may be set meanwhile.
#[derive(Debug)]
struct Slice {
    began: Instant,
    since: Duration,
    until: Duration,
}

impl Slice {
    fn from(since: Duration, now: Duration) -> Self {
        Self {
            began: Instant::now(),
            since,
            until: now + SLICE,
        }
    }

    fn is_over(&self, listened: Duration) -> bool {
        listened + Duration::from_secs(1) >= SLICE
    }

    fn next(&self, whole: bool, now: Duration) -> Self {
        let heard = if whole { self.until } else { self.since };
        Self::from(heard.min(now), now)
    }
}

impl Drop for Death {
    fn drop(&mut self) {
        if let Ok(mut listener) = self.listener.lock() {
            listener.wanted = false;
            end_group(&mut listener.child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn nothing_is_missed_between_two_slices() {
        let slice = Slice::from(HOUR, 2 * HOUR);
        let later = slice.until + Duration::from_millis(40);
        let next = slice.next(slice.is_over(SLICE), later);
        assert_eq!((next.since, next.until), (slice.until, later + SLICE));
    }

    #[test]
    fn a_clock_that_was_set_back_is_listened_to_from_now_on() {
        let slice = Slice::from(2 * HOUR, 2 * HOUR);
        for whole in [true, false] {
            let next = slice.next(whole, HOUR);
            assert_eq!((next.since, next.until), (HOUR, HOUR + SLICE));
        }
    }

    #[test]
    fn what_an_engine_that_hung_up_has_not_told_is_asked_for_again() {
        let slice = Slice::from(HOUR, 2 * HOUR);
        assert!(!slice.is_over(Duration::from_secs(3)));
        assert_eq!(slice.next(false, 2 * HOUR).since, HOUR);
    }
}
