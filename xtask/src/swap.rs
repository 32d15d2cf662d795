//! One deployment under load: what its clients saw, and what happened when.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use stage::docker::{docker, inspect};
use stage::load::{Load, Outcome};

/// Requests a second, each over a new connection.
pub(crate) const RATE: u32 = 300;
/// How long the load goes on before each deployment, and at least after it.
pub(crate) const CALM: Duration = Duration::from_millis(500);

/// When one part of a deployment ran, by the clock on the wall.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) from: SystemTime,
    pub(crate) to: SystemTime,
}

impl Span {
    pub(crate) fn until_now(name: &str, from: SystemTime) -> Self {
        Self {
            name: name.to_owned(),
            from,
            to: SystemTime::now(),
        }
    }
}

/// From the beginning of the first to the end of the last.
pub(crate) fn whole(spans: &[Span]) -> anyhow::Result<Duration> {
    let ends = spans.first().zip(spans.last());
    let (first, last) = ends.context("nothing was deployed")?;
    Ok(last.to.duration_since(first.from).unwrap_or_default())
}

/// What was seen of a deployment.
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    /// The beginning of the load, from which the samples count.
    pub(crate) began: SystemTime,
    /// From the stop of the old container to the start of the new one; none if the live one stayed.
    pub(crate) handover: Option<Span>,
}

/// Does `deed` to the live container `name` while its published port is asked, and `settle` longer.
pub(crate) fn under_load<T>(
    address: SocketAddr,
    name: &str,
    settle: Duration,
    deed: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Seen)> {
    let old = live(name)?;
    let began = SystemTime::now();
    let load = Load::start(address, "/", RATE);
    thread::sleep(CALM);
    let done = deed()?;
    thread::sleep(settle);
    let outcome = load.stop();
    let handover = match (old, live(name)?) {
        (Some(old), Some(new)) if old != new => handover(&old, &new, began)?,
        _ => None,
    };
    let seen = Seen {
        outcome,
        began,
        handover,
    };
    Ok((done, seen))
}

fn live(name: &str) -> anyhow::Result<Option<String>> {
    let found = inspect(name)?;
    Ok(found.and_then(|it| it["Id"].as_str().map(str::to_owned)))
}

// As the engine's own events tell it, the same for every way to deploy.
fn handover(old: &str, new: &str, since: SystemTime) -> anyhow::Result<Option<Span>> {
    let (since, until) = (stamp(since)?, stamp(SystemTime::now())?);
    let events = docker([
        "events",
        "--since",
        &since,
        "--until",
        &until,
        "--filter",
        "type=container",
        "--format",
        "{{.TimeNano}} {{.Action}} {{.Actor.ID}}",
    ])?;
    let when = |action: &str, id: &str| {
        let ending = format!(" {action} {id}");
        let found = events.lines().find_map(|line| line.strip_suffix(&ending));
        found.and_then(at)
    };
    let span = |from, to| Span {
        name: "swap".to_owned(),
        from,
        to,
    };
    Ok(when("kill", old)
        .zip(when("start", new))
        .map(|(from, to)| span(from, to)))
}

fn stamp(time: SystemTime) -> anyhow::Result<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(format!("{}.{:09}", since.as_secs(), since.subsec_nanos()))
}

/// A time in nanoseconds since 1970, as the engine and `date +%s%N` print it.
pub(crate) fn at(nanos: &str) -> Option<SystemTime> {
    let nanos = nanos.parse().ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos))
}
