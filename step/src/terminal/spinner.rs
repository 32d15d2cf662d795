//! A wait as people see it: on a terminal one living line, elsewhere plain lines that grow rare.

use std::fmt::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::bar::{Shown, shown};
use super::{progress, speaks};
use crate::text::printable;

/// Between two pictures of the living line.
const TICK: Duration = Duration::from_millis(100);
/// After so long plain lines say that it goes on; then after twice as long, and so on.
const STILL: Duration = Duration::from_secs(10);
/// As much of what was seen last as fits beside what is awaited.
const LONGEST_SEEN: usize = 100;

/// A wait; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "the wait is over when this is dropped"]
pub struct Spinner {
    /// Dropped with it, which ends the plain lines; none where another wait is shown already.
    shown: Option<Sender<()>>,
}

/// Says on stderr what is waited for, and for how long, unless `--quiet`.
pub fn waiting(what: impl Into<String>) -> Spinner {
    let what = what.into();
    let mut place = shown();
    if !speaks() || place.is_some() {
        drop(place);
        progress(&what);
        return Spinner { shown: None };
    }
    let bar = living_line();
    let (sender, ended) = channel();
    let drawn = bar.clone();
    *place = Some(Shown {
        what: what.clone(),
        seen: String::new(),
        began: Instant::now(),
        bar,
    });
    drop(place);
    // Drawn by a thread of its own: a terminal that has been stopped must not stop the work.
    let started = if drawn.is_hidden() {
        progress(&what);
        thread::Builder::new().spawn(move || say_it_goes_on(&ended))
    } else {
        thread::Builder::new().spawn(move || draw(&drawn, &ended))
    };
    // The wait is as long where nobody can draw it.
    drop(started);
    Spinner {
        shown: Some(sender),
    }
}

/// What was seen last in the wait that is shown, if there is one.
pub fn status(what: &str) {
    if let Some(shown) = shown().as_mut() {
        shown.seen = printable(what, LONGEST_SEEN);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        let Some(ended) = self.shown.take().and_then(|_| shown().take()) else {
            return;
        };
        if !ended.bar.is_hidden() {
            ended.bar.finish_and_clear();
            let seconds = ended.began.elapsed().as_secs_f64();
            progress(&format!("{}, {seconds:.1} s", ended.what));
        }
    }
}

/// ASCII, because a terminal at the far end of an ssh may know nothing else.
fn living_line() -> ProgressBar {
    let seconds = |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{} s", state.elapsed().as_secs());
    };
    let style = ProgressStyle::with_template("{spinner} {seconds}  {wide_msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(style.tick_chars("-\\|/ ").with_key("seconds", seconds))
}

fn draw(bar: &ProgressBar, ended: &Receiver<()>) {
    loop {
        let line = shown().as_ref().map(|it| it.line(""));
        bar.set_message(line.unwrap_or_default());
        bar.tick();
        if ended.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn say_it_goes_on(ended: &Receiver<()>) {
    let mut pause = STILL;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let line = shown().as_ref().map(|it| {
            // The next line comes when it has lasted twice as long.
            pause = it.began.elapsed();
            it.line(&format!(", {} s so far", pause.as_secs()))
        });
        line.iter().for_each(|line| progress(line));
    }
}
