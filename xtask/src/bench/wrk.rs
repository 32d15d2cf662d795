//! wrk: connections that are kept alive, with as many requests as they can carry.

use std::time::Duration;

use anyhow::Context;
use stage::unpacked;

use super::lab::done;

/// How many connections are kept open.
pub(super) const CONNECTIONS: u32 = 32;

/// What clients saw of a port that is as busy as can be.
pub(super) struct Busy {
    pub(super) sent: usize,
    pub(super) failed: usize,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

pub(super) fn run(at: &str, time: Duration) -> anyhow::Result<Busy> {
    let mut wrk = unpacked::command("wrk").context("wrk is gone")?;
    let (connections, time) = (CONNECTIONS.to_string(), format!("{}s", time.as_secs()));
    wrk.args(["--latency", "--threads", "2", "--connections", &connections]);
    let said = done(wrk.args(["--duration", &time, &format!("http://{at}/")]))?;
    let value = |label: &str| {
        let mut lines = said.lines().map(str::trim);
        lines.find_map(|line| line.strip_prefix(label).map(str::trim))
    };
    let told = |label: &str| value(label).with_context(|| format!("wrk told no {label}"));
    let time = |label| milliseconds(told(label)?).context("wrk told no time");
    let sent = said
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "));
    // Each kind is counted apart: connect, read, write, timeout.
    let broken = value("Socket errors:").unwrap_or_default().split(',');
    let broken = broken.filter_map(|kind| kind.rsplit(' ').next()?.parse::<usize>().ok());
    let bad = value("Non-2xx or 3xx responses:").map_or(Ok(0), str::parse)?;
    Ok(Busy {
        sent: sent.context("wrk told no requests")?.0.parse()?,
        failed: broken.sum::<usize>() + bad,
        per_second: told("Requests/sec:")?.parse()?,
        p50_ms: time("50%")?,
        p99_ms: time("99%")?,
    })
}

// As wrk prints times: 412.00us, 1.20ms, 1.01s.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    let (digits, unit) = units
        .into_iter()
        .find_map(|(end, unit)| Some((text.strip_suffix(end)?, unit)))?;
    Some(digits.parse::<f64>().ok()? * unit)
}
