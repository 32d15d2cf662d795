//! A release while the port is as busy as the machine allows, beside the same load with no release.

use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use tests::docker::Scope;
use tests::image::Image;
use tests::load::Load;
use tests::process::run_within;
use tests::unpacked;

use super::{LIMIT, Lab, free_port, run, texts};
use crate::bench::fronts::{CONNECTIONS, milliseconds};
use crate::numbers::Numbers;
use crate::table::{Table, ms, thousands};

/// How long the port is busy, and when in that time the release begins.
const BUSY: Duration = Duration::from_secs(8);
const CALM: Duration = Duration::from_secs(2);
/// New connections a second.
const RATE: u32 = 2000;

/// Makes a load on a port and tells what came of it.
type Client = fn(u16) -> anyhow::Result<Seen>;

/// What clients saw: requests, those that failed, a second, p50 and p99 in ms.
struct Seen(usize, usize, f64, f64, f64);

pub(super) fn measure(_: &Lab<'_>, left_out: &mut Vec<String>) -> anyhow::Result<Option<Table>> {
    if unpacked::command("wrk").is_none() {
        left_out.push("wrk, and so a busy port (--install unpacks it)".to_owned());
        return Ok(None);
    }
    let scope = Scope::new("busy");
    let port = free_port()?;
    for version in ["v1", "v2", "v3"] {
        let image = Image::of(scope.app()).version(version).env("GRACEFUL", "1");
        image.build(&format!("{}:{version}", scope.app()))?;
    }
    let release = |version: &str| release(&scope, version, port);
    release("v1")?;
    let loads: [(&str, Client); 2] = [
        ("kept-alive connections", kept_alive),
        ("new connections", anew),
    ];
    let mut rows = Vec::new();
    for ((name, load), version) in loads.into_iter().zip(["v2", "v3"]) {
        rows.push(load(port)?.line(name, "no release"));
        let seen = thread::scope(|scope| {
            let load = scope.spawn(move || load(port));
            thread::sleep(CALM);
            release(version)?;
            load.join()
                .unwrap_or_else(|_| anyhow::bail!("the load panicked"))
        })?;
        rows.push(seen.line(name, "a release"));
    }
    Ok(Some(Table {
        caption: format!(
            "A busy port: {CONNECTIONS} kept-alive connections as fast as they go, then {} new ones a second, {} s each",
            thousands(RATE as usize),
            BUSY.as_secs()
        ),
        left: 2,
        head: texts([
            "load",
            "meanwhile",
            "requests",
            "failed",
            "requests / s",
            "p50, ms",
            "p99, ms",
        ]),
        rows,
    }))
}

impl Seen {
    fn line(&self, load: &str, meanwhile: &str) -> Vec<String> {
        let Self(sent, failed, rate, p50, p99) = *self;
        let (sent, failed) = (thousands(sent), thousands(failed));
        vec![
            load.to_owned(),
            meanwhile.to_owned(),
            sent,
            failed,
            thousands(rate.round() as usize),
            ms(p50),
            ms(p99),
        ]
    }
}

fn release(scope: &Scope, version: &str, port: u16) -> anyhow::Result<()> {
    let (image, publish) = (format!("{}:{version}", scope.app()), format!("{port}:8080"));
    let steps: [(&str, &[&str]); 3] = [
        (
            "start-candidate",
            &["--image", &image, "--publish", &publish],
        ),
        ("probe-health", &[]),
        // A connection that never rests is never without a request in flight.
        ("promote", &["--bridge", "require", "--drain", "1s"]),
    ];
    for (name, words) in steps {
        let run = run(name, scope, words)?;
        ensure!(run.code == 0, "{name} failed: {}", run.stderr);
    }
    Ok(())
}

fn anew(port: u16) -> anyhow::Result<Seen> {
    let load = Load::start(([127, 0, 0, 1], port).into(), "/", RATE);
    thread::sleep(BUSY);
    let seen = Numbers::of(&load.stop(), 0);
    let rate = seen.sent as f64 / BUSY.as_secs_f64();
    Ok(Seen(seen.sent, seen.failed, rate, seen.p50_ms, seen.p99_ms))
}

fn kept_alive(port: u16) -> anyhow::Result<Seen> {
    let mut wrk = unpacked::command("wrk").context("wrk is gone")?;
    let (connections, seconds) = (CONNECTIONS.to_string(), format!("{}s", BUSY.as_secs()));
    wrk.args(["--latency", "--threads", "2", "--connections", &connections]);
    wrk.args(["--duration", &seconds, &format!("http://127.0.0.1:{port}/")]);
    let run = run_within(&mut wrk, None, LIMIT)?;
    ensure!(run.code == 0, "wrk failed: {}", run.stderr);
    let value = |label: &str| {
        let found = run
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        found.map(str::trim)
    };
    let sent = run
        .stdout
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "));
    // Each kind is counted apart: connect, read, write, timeout.
    let broken = value("Socket errors:").unwrap_or_default();
    let broken = broken
        .split(',')
        .filter_map(|kind| kind.rsplit(' ').next()?.parse::<usize>().ok());
    let bad = value("Non-2xx or 3xx responses:")
        .and_then(|it| it.parse().ok())
        .unwrap_or(0);
    let time = |label| {
        value(label)
            .and_then(milliseconds)
            .context("wrk told no time")
    };
    Ok(Seen(
        sent.context("wrk told no requests")?.0.parse()?,
        broken.sum::<usize>() + bad,
        value("Requests/sec:")
            .context("wrk told no rate")?
            .parse()?,
        time("50%")?,
        time("99%")?,
    ))
}
