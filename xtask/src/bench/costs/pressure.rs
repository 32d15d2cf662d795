//! A release while the port is as busy as the machine allows, beside the same load with no release.

use std::thread;
use std::time::Duration;

use stage::docker::Scope;
use stage::image::Image;
use stage::load::Load;

use crate::bench::lab::{done, free_address, has, step};
use crate::bench::wrk::{self, Busy, CONNECTIONS};
use crate::numbers::Numbers;
use crate::table::{Table, ms, texts, thousands};

/// How long the port is busy, and when in that time the release begins.
const BUSY: Duration = Duration::from_secs(8);
const CALM: Duration = Duration::from_secs(2);
/// New connections a second.
const RATE: u32 = 2000;

/// Makes a load on a port and tells what came of it.
type Client = fn(u16) -> anyhow::Result<Busy>;

pub(super) fn measure(left_out: &mut Vec<String>) -> anyhow::Result<Option<Table>> {
    if !has("wrk", "a busy port", left_out) {
        return Ok(None);
    }
    let scope = Scope::new("busy");
    let port = free_address()?.port();
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
        rows.push(line(name, "no release", &load(port)?));
        let seen = thread::scope(|scope| {
            let load = scope.spawn(move || load(port));
            thread::sleep(CALM);
            release(version)?;
            load.join()
                .unwrap_or_else(|_| anyhow::bail!("the load panicked"))
        })?;
        rows.push(line(name, "a release", &seen));
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

fn line(load: &str, meanwhile: &str, seen: &Busy) -> Vec<String> {
    vec![
        load.to_owned(),
        meanwhile.to_owned(),
        thousands(seen.sent),
        thousands(seen.failed),
        thousands(seen.per_second.round() as usize),
        ms(seen.p50_ms),
        ms(seen.p99_ms),
    ]
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
        done(&mut step(name, scope, words)?)?;
    }
    Ok(())
}

fn anew(port: u16) -> anyhow::Result<Busy> {
    let load = Load::start(([127, 0, 0, 1], port).into(), "/", RATE);
    thread::sleep(BUSY);
    let seen = Numbers::of(&load.stop(), 0);
    Ok(Busy {
        sent: seen.sent,
        failed: seen.failed,
        per_second: seen.sent as f64 / BUSY.as_secs_f64(),
        p50_ms: seen.p50_ms,
        p99_ms: seen.p99_ms,
    })
}

fn kept_alive(port: u16) -> anyhow::Result<Busy> {
    wrk::run(&format!("127.0.0.1:{port}"), BUSY)
}
