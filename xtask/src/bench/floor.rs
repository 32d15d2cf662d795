//! The floor: the engine's operations of the plain way, or of the steps, straight to its socket and back to back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde_json::{Value, json};

use super::lab::free_address;
use super::socket::{Socket, path_of};
use super::stand::Stand;
use crate::swap::Span;

/// As the plain way, without a command line tool.
pub(super) fn plain(stand: &Stand<'_>, version: &str) -> anyhow::Result<Vec<Span>> {
    let engine = Socket::of_engine();
    let from = SystemTime::now();
    let (image, name) = (stand.image(version), stand.name());
    engine.pull(&image)?;
    let probe = free_address()?;
    let at = ("127.0.0.1", probe.port());
    let candidate = engine.create(&format!("{name}-new"), &image, at)?;
    engine.start(&candidate)?;
    healthy(probe)?;
    for ends in [format!("/containers/{name}"), candidate] {
        engine.stop(&ends)?;
        engine.order("DELETE", &ends)?;
    }
    let live = engine.create(name, &image, ("", stand.address.port()))?;
    engine.start(&live)?;
    let filters = json!({"dangling": ["false"], "label": [format!("app={name}")]}).to_string();
    let filters: String = filters.bytes().map(|byte| format!("%{byte:02x}")).collect();
    engine.order("POST", &format!("/images/prune?filters={filters}"))?;
    Ok(vec![Span::until_now("all", from)])
}

/// What the steps ask of the engine, and not a word with it.
pub(super) fn steps(stand: &Stand<'_>, version: &str) -> anyhow::Result<Vec<Span>> {
    let engine = Socket::of_engine();
    let from = SystemTime::now();
    let image = stand.image(version);
    let its = format!("/images/{image}/json");
    engine.tell("/info")?;
    engine.pull(&image)?;
    engine.tell(&its)?;

    engine.tell(&its)?;
    let name = format!("{}-new", stand.name());
    let candidate = engine.create(&name, &image, ("127.0.0.1", 0))?;
    engine.look(&candidate)?;
    engine.look(&format!("/containers/{}", stand.name()))?;
    engine.start(&candidate)?;
    healthy(published(&engine.look(&candidate)?)?)?;

    let live = swap(&engine, stand, &image, &candidate)?;

    engine.tell("/containers/json?all=true")?;
    engine.tell("/images/json?all=true")?;
    engine.look(&live)?;
    engine.tell(&its)?;
    Ok(vec![Span::until_now("all", from)])
}

/// As `promote`, without rules for packets.
fn swap(
    engine: &Socket,
    stand: &Stand<'_>,
    image: &str,
    candidate: &str,
) -> anyhow::Result<String> {
    let name = stand.name();
    let old = path_of(&engine.look(&format!("/containers/{name}"))?)?;
    engine.look(candidate)?;
    let at = ("", stand.address.port());
    let next = engine.create(&format!("{name}-next"), image, at)?;
    engine.look(&next)?;
    engine.rename(&old, &format!("{name}-old"))?;
    engine.stop(&old)?;
    engine.start(&next)?;
    engine.look(&next)?;
    healthy(stand.address)?;
    engine.rename(&next, name)?;
    let policy = json!({"RestartPolicy": {"Name": "always"}}).to_string();
    engine.ask("POST", &format!("{next}/update"), policy.as_bytes())?;
    engine.order("DELETE", &old)?;
    engine.order("DELETE", &format!("{candidate}?force=true"))?;
    Ok(next)
}

fn published(container: &Value) -> anyhow::Result<SocketAddr> {
    let port = &container["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"];
    let port = port.as_str().context("no port was published")?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port.parse()?)))
}

fn healthy(at: SocketAddr) -> anyhow::Result<()> {
    for _ in 0..5000 {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(at)
            && stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains(" 200 ")
        {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    anyhow::bail!("{at} does not become healthy")
}
