//! The heir: a second promote, which finishes the first one if that is killed.
//!
//! A kill cannot be caught, and may leave the old container stopped and the new one not started. The bridge would hide
//! that from clients, but nobody would finish. So the first promote starts the heir before it changes anything, in a
//! session of its own and, where it can, outside the unit in which it runs.
//!
//! The two hold a line between them. The kernel breaks it when the first one ends, however it ends; only a promotion
//! that is done says so before. The heir then takes the lock. The killed one's last command keeps that lock until the
//! engine is done with it, so nobody acts on what is about to change. What the heir does is what the same command run
//! again would do. Its report is in the system's log and beside the lock. Killed before any of its calls under load,
//! no promotion lost a request (the kill matrix of the tests).
//!
//! A promotion that is done may leave it something for later: the candidate, as long as clients stay connected to it.

pub(crate) mod deed;
mod kept;
mod told;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use step::contract::handoff::Handoff;
use step::host::lock::Lock;
use step::model::name::Name;

use crate::cgroup::{self, Cgroup};
use crate::environment;

/// Its hidden role; what follows are the arguments of the promotion.
pub(crate) const ROLE: &str = "__heir";
/// How many heirs had to act one after another; whatever ends them all is not to be repeated for ever.
const GENERATION: &str = "DEPLOY_STEPS_HEIR";
const LAST_GENERATION: u32 = 2;
/// Whose notes are beside the lock.
pub(crate) const STEP: &str = "promote";
const READY: u8 = b'+';
const DONE: u8 = b'.';
/// Before the milliseconds for which clients may stay connected to the candidate.
const KEEP: u8 = b'~';

/// How long one may take to say that it waits; systemd answers within milliseconds, or not at all.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What the promotion sends with its probes.
type Headers = [(String, String)];

/// An heir that waits. Dropped, it has nothing to do and ends; only a kill, or [`Self::keep`], leaves it at work.
pub(crate) struct Heir {
    line: UnixStream,
    child: Child,
    /// It has something to do, and nobody waits for it.
    is_told: bool,
    /// Where it waits, and other helpers of the promotion may be as well.
    pub(crate) cgroup: Cgroup,
}

impl Heir {
    /// Leaves one for the promotion of this very candidate to `live`; when this returns it is out of reach of a signal
    /// to this process group, and, where it can be, of whoever ends this process's unit.
    ///
    /// # Errors
    /// When none can be started, or too many had to act already.
    pub(crate) fn leave(live: &Name, handoff: &Handoff, headers: &Headers) -> io::Result<Self> {
        if generation() >= LAST_GENERATION {
            return Err(io::Error::other("too many heirs had to act already"));
        }
        if let Some(scope) = cgroup::scope(live)
            && let Ok(mut heir) = Self::start(scope, handoff, headers)
        {
            heir.cgroup = Cgroup::of(&heir.child);
            return Ok(heir);
        }
        let mut here = Command::new("/proc/self/exe");
        here.arg0("promote");
        Self::start(here, handoff, headers)
    }

    /// Has it end the candidate when nobody is connected to it any more, or after this time.
    /// Tells whether it has heard of it.
    pub(crate) fn keep(mut self, time: Duration) -> bool {
        let word = format!("{}{}", char::from(KEEP), time.as_millis());
        self.is_told = self.line.write_all(word.as_bytes()).is_ok();
        self.is_told
    }

    fn start(mut command: Command, handoff: &Handoff, headers: &Headers) -> io::Result<Self> {
        let (mut line, theirs) = UnixStream::pair()?;
        line.set_read_timeout(Some(READY_WITHIN))?;
        let mut child = command
            .arg(ROLE)
            .args(own_arguments())
            .env_clear()
            .envs(environment::short())
            .env(GENERATION, (generation() + 1).to_string())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // The command has a copy of its end, without which this could wait for ever.
        drop(command);
        match hand_over(&mut line, handoff, headers) {
            Ok(()) => Ok(Self {
                line,
                child,
                is_told: false,
                cgroup: Cgroup::default(),
            }),
            Err(error) => {
                let _ = child.kill().and_then(|()| child.wait());
                Err(error)
            }
        }
    }
}

/// Tells a new heir what it is to finish, and waits until it is ready to.
fn hand_over(line: &mut UnixStream, handoff: &Handoff, headers: &Headers) -> io::Result<()> {
    serde_json::to_writer(&mut *line, handoff)?;
    line.write_all(b"\n")?;
    serde_json::to_writer(&mut *line, headers)?;
    line.write_all(b"\n")?;
    line.read_exact(&mut [0])
}

impl Drop for Heir {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        let told = self.line.write_all(&[DONE]);
        let _ = told.and_then(|()| self.line.shutdown(Shutdown::Both));
        let _ = self.child.wait();
    }
}

fn generation() -> u32 {
    let given = std::env::var(GENERATION).ok();
    given.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The promotion's arguments, without the report that was read and cannot be read again, and without headers: the words
/// of a process are there for everybody to see.
fn own_arguments() -> Vec<OsString> {
    const LEFT_OUT: [&str; 2] = ["--from", "--header"];
    let mut skip = false;
    let args = std::env::args_os().skip(1).filter(|arg| arg != ROLE);
    args.filter(|arg| {
        let (value, flag) = (std::mem::take(&mut skip), arg.to_string_lossy());
        skip = !value && LEFT_OUT.contains(&&*flag);
        let glued = flag
            .split_once('=')
            .is_some_and(|(flag, _)| LEFT_OUT.contains(&flag));
        !(value || skip || glued)
    })
    .collect()
}

/// What the heir of an earlier promotion of the app has reported since the last one.
pub(crate) fn last_report(lock: &Lock) -> Option<Value> {
    let report: Value = serde_json::from_str(&lock.noted(STEP)).ok()?;
    (report.get("step")? == STEP).then_some(report)
}
