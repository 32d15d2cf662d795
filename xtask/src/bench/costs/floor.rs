//! The floor: the engine's operations of the plain way, or of the steps, straight to its socket and back to back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::docker;

use crate::bench::stand::Stand;
use crate::swap::Span;

/// The socket of the engine on this machine.
pub(in crate::bench) struct Socket(PathBuf);

impl Socket {
    pub(in crate::bench) fn of_engine() -> Self {
        Self(docker::socket())
    }

    /// One request, answered to its end.
    pub(in crate::bench) fn ask(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> anyhow::Result<String> {
        let mut stream = UnixStream::connect(&self.0)
            .with_context(|| format!("no engine listens at {}", self.0.display()))?;
        // Of version 1.0, so that the answer ends with the connection.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let good = ["200", "201", "204"].contains(&answer.get(9..12).unwrap_or_default());
        ensure!(good, "{method} {path}: {answer}");
        let body = answer.split_once("\r\n\r\n").map(|it| it.1.to_owned());
        Ok(body.unwrap_or_default())
    }

    /// What it says of a container or an image, or of itself.
    fn tell(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.ask("GET", path, &[])?)?)
    }

    fn look(&self, container: &str) -> anyhow::Result<Value> {
        self.tell(&format!("{container}/json"))
    }

    fn order(&self, method: &str, path: &str) -> anyhow::Result<()> {
        self.ask(method, path, &[]).map(drop)
    }

    fn pull(&self, image: &str) -> anyhow::Result<()> {
        let (repository, tag) = image.rsplit_once(':').context("an image without a tag")?;
        let path = format!("/images/create?fromImage={repository}&tag={tag}");
        self.order("POST", &path)
    }

    /// The path of a new container.
    fn create(&self, name: &str, image: &str, at: (&str, u16)) -> anyhow::Result<String> {
        let at = json!([{"HostIp": at.0, "HostPort": at.1.to_string()}]);
        let body = json!({
            "Image": image, "ExposedPorts": {"8080/tcp": {}},
            "HostConfig": {"PortBindings": {"8080/tcp": at}},
        });
        let path = format!("/containers/create?name={name}");
        let made = self.ask("POST", &path, body.to_string().as_bytes())?;
        path_of(&serde_json::from_str(&made)?)
    }

    fn start(&self, container: &str) -> anyhow::Result<()> {
        self.order("POST", &format!("{container}/start"))
    }

    fn stop(&self, container: &str) -> anyhow::Result<()> {
        self.order("POST", &format!("{container}/stop"))
    }

    fn rename(&self, container: &str, name: &str) -> anyhow::Result<()> {
        self.order("POST", &format!("{container}/rename?name={name}"))
    }
}

impl Stand<'_> {
    /// As [`Stand::plain`], without a command line tool.
    pub(in crate::bench) fn floor(&self, version: &str) -> anyhow::Result<Vec<Span>> {
        let engine = Socket::of_engine();
        let from = SystemTime::now();
        let (image, name) = (self.image(version), self.name());
        engine.pull(&image)?;
        let probe = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let at = ("127.0.0.1", probe.port());
        let candidate = engine.create(&format!("{name}-new"), &image, at)?;
        engine.start(&candidate)?;
        healthy(probe)?;
        for ends in [format!("/containers/{name}"), candidate] {
            engine.stop(&ends)?;
            engine.order("DELETE", &ends)?;
        }
        let live = engine.create(name, &image, ("", self.address.port()))?;
        engine.start(&live)?;
        let filters = json!({"dangling": ["false"], "label": [format!("app={name}")]}).to_string();
        let filters: String = filters.bytes().map(|byte| format!("%{byte:02x}")).collect();
        engine.order("POST", &format!("/images/prune?filters={filters}"))?;
        Ok(vec![Span::until_now("all", from)])
    }

    /// What the steps ask of the engine, and not a word with it.
    pub(in crate::bench) fn floor_of_steps(&self, version: &str) -> anyhow::Result<Vec<Span>> {
        let engine = Socket::of_engine();
        let from = SystemTime::now();
        let image = self.image(version);
        let its = format!("/images/{image}/json");
        engine.tell("/info")?;
        engine.pull(&image)?;
        engine.tell(&its)?;

        engine.tell(&its)?;
        let name = format!("{}-new", self.name());
        let candidate = engine.create(&name, &image, ("127.0.0.1", 0))?;
        engine.look(&candidate)?;
        engine.look(&format!("/containers/{}", self.name()))?;
        engine.start(&candidate)?;
        healthy(published(&engine.look(&candidate)?)?)?;

        let live = self.swap(&engine, &image, &candidate)?;

        engine.tell("/containers/json?all=true")?;
        engine.tell("/images/json?all=true")?;
        engine.look(&live)?;
        engine.tell(&its)?;
        Ok(vec![Span::until_now("all", from)])
    }

    /// As `promote`, without rules for packets.
    fn swap(&self, engine: &Socket, image: &str, candidate: &str) -> anyhow::Result<String> {
        let name = self.name();
        let old = path_of(&engine.look(&format!("/containers/{name}"))?)?;
        engine.look(candidate)?;
        let at = ("", self.address.port());
        let next = engine.create(&format!("{name}-next"), image, at)?;
        engine.look(&next)?;
        engine.rename(&old, &format!("{name}-old"))?;
        engine.stop(&old)?;
        engine.start(&next)?;
        engine.look(&next)?;
        healthy(self.address)?;
        engine.rename(&next, name)?;
        let policy = json!({"RestartPolicy": {"Name": "always"}}).to_string();
        engine.ask("POST", &format!("{next}/update"), policy.as_bytes())?;
        engine.order("DELETE", &old)?;
        engine.order("DELETE", &format!("{candidate}?force=true"))?;
        Ok(next)
    }
}

/// Where a container is asked for, whatever it is called by then.
fn path_of(container: &Value) -> anyhow::Result<String> {
    let id = container["Id"].as_str();
    let id = id.context("the engine named no id")?;
    Ok(format!("/containers/{id}"))
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
