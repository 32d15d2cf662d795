//! What an heir does: it waits for the promotion's end, and acts if that was killed.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::iter;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use step::contract::handoff::Handoff;
use step::engine::Engine;
use step::host::lock::Lock;
use step::model::name::{Name, Names};

use super::{DONE, KEEP, READY, STEP, kept, told};
use crate::args::Args;
use crate::failure::Failure;
use crate::promotion::Killed;
use crate::report::Report;

/// The longest that an heir waits for one that may take any time to end.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How an heir promotes: it is handed this, as it cannot know the promotion that leaves it.
pub(crate) type Promote = fn(&Args, &Engine, &Lock, Killed) -> Result<Report, Failure>;

/// Waits for the end of the promotion with these arguments, and acts if it was killed.
pub(crate) fn run(args: Vec<OsString>, promote: Promote) -> ExitCode {
    let args = iter::once("promote".into()).chain(args).collect();
    match wait(args, promote) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn wait(args: Vec<OsString>, promote: Promote) -> io::Result<()> {
    rustix::process::setsid()?;
    step::signals::catch_signals()?;
    let mut line = BufReader::new(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?));
    let mut handoff = String::new();
    line.read_line(&mut handoff)?;
    let handoff: Handoff = serde_json::from_str(&handoff)?;
    let mut args: Args =
        step::contract::identity::arguments(&args, &handoff).map_err(io::Error::other)?;
    let mut headers = String::new();
    line.read_line(&mut headers)?;
    args.how.header = serde_json::from_str(&headers)?;
    line.get_mut().write_all(&[READY])?;
    let mut last = Vec::new();
    // A reset is an end as well.
    let _ = line.read_to_end(&mut last);
    match &last[..] {
        [.., DONE] => Ok(()),
        [KEEP, time @ ..] => {
            let time = str::from_utf8(time).ok().and_then(|it| it.parse().ok());
            kept::end_later(&args, Duration::from_millis(time.unwrap_or_default()))
        }
        _ => act(&args, promote),
    }
}

/// How long the engine may take for a stop that it was asked for.
fn longest_grace(args: &Args, engine: &Engine, live: &Name) -> Duration {
    let names = Names::of(live);
    let found = engine.containers(&[&names.live, &names.old, &names.candidate]);
    let graces = found.iter().flatten().map(|it| args.grace(it));
    graces.fold(args.usual_grace(), Duration::max).min(LONGEST)
}

/// Finishes or rolls back what the killed promotion has left, and leaves word of it.
fn act(args: &Args, promote: Promote) -> io::Result<()> {
    let started = Instant::now();
    let Some(live) = args.identity.live() else {
        return Ok(());
    };
    let engine = Engine::find(&args.common.engine).map_err(io::Error::other)?;
    // Its last command may still be under way.
    let patience = args.common.engine.engine_timeout + longest_grace(args, &engine, live);
    let lock = engine.lock(live, patience).map_err(io::Error::other)?;
    let result = match &lock {
        Some(lock) => promote(args, &engine, lock, Killed::default()),
        None => Err(Failure::Locked(live.to_string())),
    };
    let (line, _) = step::contract::main::outcome(STEP, result, started);
    told::log(&format!(
        "promote of {live} was killed; its heir reports: {line}"
    ));
    if let Some(lock) = lock {
        lock.note(STEP, &told::short(&line));
    }
    Ok(())
}
