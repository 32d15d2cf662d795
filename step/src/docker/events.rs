//! Learning at once that a container ended, from the engine's event stream.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{Engine, EngineError};
use crate::child::end_group;
use crate::time::{now_unix, stamp};

/// The CLI is asked for so much at a time and then again: where this process is killed, it waits
/// for nobody no longer than that.
const SLICE: Duration = Duration::from_secs(15);

/// What is told of a watched container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Its main process ended.
    Ended,
    /// The engine broke off, and nothing more will be told.
    Lost,
}

/// Watches one container until dropped.
#[derive(Debug)]
pub(crate) struct Death {
    /// The CLI that listens now.
    listener: Arc<Mutex<Listener>>,
}

#[derive(Debug)]
struct Listener {
    child: Child,
    wanted: bool,
}

impl Engine {
    /// Calls `tell` once per line of the event stream, that is each time the container's main
    /// process ends (docker says `die`, podman `died`), from `since` before now on, and once more
    /// when the stream ends before its time.
    ///
    /// # Errors
    /// When the CLI cannot be run.
    pub(crate) fn on_death(
        &self,
        id: &str,
        since: Duration,
        tell: impl Fn(Word) + Send + 'static,
    ) -> Result<Death, EngineError> {
        let (cli, id) = (self.cli.clone(), id.to_owned());
        let listen = move |since: Duration, until: Duration| {
            Command::new(&cli)
                .args(["events", "--since", &stamp(since), "--until", &stamp(until)])
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
        let until = now_unix() + SLICE;
        let child = listen(now_unix().saturating_sub(since), until)?;
        let wanted = true;
        let listener = Arc::new(Mutex::new(Listener { child, wanted }));
        let shared = Arc::clone(&listener);
        thread::spawn(move || attend(&shared, until, listen, tell));
        Ok(Death { listener })
    }
}

fn attend(
    listener: &Mutex<Listener>,
    mut until: Duration,
    listen: impl Fn(Duration, Duration) -> Result<Child, EngineError>,
    tell: impl Fn(Word),
) {
    loop {
        let stdout = listener
            .lock()
            .ok()
            .and_then(|mut it| it.child.stdout.take());
        let lines = stdout.into_iter().flat_map(|it| BufReader::new(it).lines());
        lines.map_while(Result::ok).for_each(|_| tell(Word::Ended));
        let Ok(mut listener) = listener.lock() else {
            return;
        };
        // The engine ends it by its own clock, which is this one's.
        if !listener.wanted {
            return;
        }
        if now_unix() < until {
            return tell(Word::Lost);
        }
        let (since, next) = (until, now_unix() + SLICE);
        let Ok(child) = listen(since, next) else {
            return tell(Word::Lost);
        };
        let mut done = std::mem::replace(&mut listener.child, child);
        let _ = done.wait();
        until = next;
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
