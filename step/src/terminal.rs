//! The two streams: one JSON line on stdout, sentences for people on stderr.

mod bar;
pub mod spinner;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use bar::aside;

static QUIET: AtomicBool = AtomicBool::new(false);

/// Silences [`progress`] for the rest of the process.
pub(crate) fn be_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// One line of progress on stderr, unless `--quiet`. A broken stderr is not an error:
/// the person is gone, the work goes on.
pub fn progress(line: &str) {
    if speaks() {
        warn(line);
    }
}

/// One line on stderr, always.
pub fn warn(line: &str) {
    aside(|| {
        let _ = writeln!(io::stderr().lock(), "{line}");
    });
}

/// Whether progress is wanted.
pub(crate) fn speaks() -> bool {
    !QUIET.load(Ordering::Relaxed)
}

/// Whether progress goes to a terminal that a person may be watching.
pub fn terminal_stderr() -> bool {
    speaks() && io::stderr().is_terminal()
}

/// The one line on stdout. `##[` is written with an escape: a CI runner that prints the
/// line would read it as a command anywhere in it (actions/runner, ActionCommand.cs).
///
/// # Errors
/// When stdout does not take the line.
pub(crate) fn report(json: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", json.replace("##[", "\\u0023#["))?;
    stdout.flush()
}
