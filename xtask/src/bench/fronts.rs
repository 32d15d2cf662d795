//! What a permanent reverse proxy in front of the published port costs, beside the port itself.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tests::docker::{Scope, docker, published};
use tests::image::Image;
use tests::process::run_within;
use tests::unpacked;

use super::proxy::{HAPROXY, NGINX, Proxy};

/// How many connections are kept open.
pub(crate) const CONNECTIONS: u32 = 32;
/// How long each way in is measured.
pub(crate) const SECONDS: u32 = 5;

/// A way in to the app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Front {
    pub(crate) name: String,
    /// Requests a second that were answered.
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Measures all ways in that this machine has; the reasons against the others go to `left_out`.
pub(crate) fn measure(left_out: &mut Vec<String>) -> anyhow::Result<Vec<Front>> {
    if unpacked::command("wrk").is_none() {
        left_out.push("wrk, and so the cost of a proxy (--install unpacks it)".to_owned());
        return Ok(Vec::new());
    }
    let scope = Scope::new("front");
    let name = format!("{}:v1", scope.app());
    Image::of(scope.app()).version("v1").build(&name)?;
    docker([
        "run",
        "-d",
        "--name",
        scope.app(),
        "-p",
        "127.0.0.1::8080",
        &name,
    ])?;
    let port = published(scope.app(), 8080)?;
    let ip = docker([
        "inspect",
        "--format",
        "{{.NetworkSettings.IPAddress}}",
        scope.app(),
    ])?;
    let inside = format!("{ip}:8080").parse()?;
    reachable(port)?;

    let mut fronts = vec![
        front("the container's address", inside)?,
        front("the published port", port)?,
    ];
    for proxy in [NGINX, HAPROXY] {
        match Proxy::start(&proxy, port)? {
            Some(running) => fronts.push(front(proxy.title, running.address)?),
            None => left_out.push(format!("{} (--install unpacks it)", proxy.program)),
        }
    }
    Ok(fronts)
}

fn front(name: &str, address: SocketAddr) -> anyhow::Result<Front> {
    reachable(address)?;
    let mut wrk = unpacked::command("wrk").context("wrk is gone")?;
    wrk.args([
        "--latency",
        "--threads",
        "2",
        "--connections",
        &CONNECTIONS.to_string(),
    ])
    .args([
        "--duration",
        &format!("{SECONDS}s"),
        &format!("http://{address}/"),
    ]);
    let run = run_within(&mut wrk, None, Duration::from_secs(60))?;
    let good =
        run.code == 0 && !run.stdout.contains("Non-2xx") && !run.stdout.contains("Socket errors");
    ensure!(good, "{name}: {}{}", run.stdout, run.stderr);
    let value = |label: &str| {
        let line = run
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        line.map(str::trim)
            .with_context(|| format!("wrk named no {label}"))
    };
    Ok(Front {
        name: name.to_owned(),
        per_second: value("Requests/sec:")?.parse()?,
        p50_ms: milliseconds(value("50%")?).context("wrk's median is no time")?,
        p99_ms: milliseconds(value("99%")?).context("wrk's p99 is no time")?,
    })
}

// As wrk prints times: 412.00us, 1.20ms, 1.01s.
pub(super) fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    let (digits, unit) = units
        .into_iter()
        .find_map(|(end, unit)| Some((text.strip_suffix(end)?, unit)))?;
    Some(digits.parse::<f64>().ok()? * unit)
}

fn reachable(address: SocketAddr) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        ensure!(Instant::now() < end, "nothing listens at {address}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
