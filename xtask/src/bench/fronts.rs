//! What a permanent reverse proxy in front of the published port costs, beside the port itself.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use stage::docker::{Scope, docker, published};
use stage::image::Image;

use super::lab::has;
use super::proxy::{HAPROXY, NGINX, Proxy};
use super::wrk;

/// How long each way in is measured.
pub(super) const TIME: Duration = Duration::from_secs(5);

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
pub(super) fn measure(left_out: &mut Vec<String>) -> anyhow::Result<Vec<Front>> {
    if !has("wrk", "the cost of a proxy", left_out) {
        return Ok(Vec::new());
    }
    let scope = Scope::new("front");
    let (app, image) = (scope.app(), format!("{}:v1", scope.app()));
    Image::of(app).version("v1").build(&image)?;
    docker(["run", "-d", "--name", app, "-p", "127.0.0.1::8080", &image])?;
    let port = published(app, 8080)?;
    let ip = ["inspect", "--format", "{{.NetworkSettings.IPAddress}}", app];
    let inside = format!("{}:8080", docker(ip)?).parse()?;
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
    let seen = wrk::run(&address.to_string(), TIME)?;
    let failed = seen.failed;
    ensure!(failed == 0, "{name}: {failed} of {} failed", seen.sent);
    Ok(Front {
        name: name.to_owned(),
        per_second: seen.per_second,
        p50_ms: seen.p50_ms,
        p99_ms: seen.p99_ms,
    })
}

fn reachable(address: SocketAddr) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        ensure!(Instant::now() < end, "nothing listens at {address}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
