//! The floor: the engine's operations of the plain way, straight to its socket and back to back.

use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::bench::stand::Stand;
use crate::swap::Span;

/// The socket of the engine on this machine.
pub(in crate::bench) struct Socket(String);

impl Socket {
    /// As the command line tool finds it without a context.
    pub(in crate::bench) fn of_engine() -> Self {
        let host = env::var("DOCKER_HOST").unwrap_or_default();
        let path = host
            .strip_prefix("unix://")
            .unwrap_or("/var/run/docker.sock");
        Self(path.to_owned())
    }

    /// One request, answered to its end.
    pub(in crate::bench) fn ask(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> anyhow::Result<String> {
        let mut stream = UnixStream::connect(&self.0)
            .with_context(|| format!("no engine listens at {}", self.0))?;
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

    fn run(&self, name: &str, image: &str, host_ip: &str, port: u16) -> anyhow::Result<()> {
        let body = json!({
            "Image": image, "ExposedPorts": {"8080/tcp": {}},
            "HostConfig": {"PortBindings": {"8080/tcp": [{"HostIp": host_ip, "HostPort": port.to_string()}]}},
        });
        let path = format!("/containers/create?name={name}");
        let made: Value =
            serde_json::from_str(&self.ask("POST", &path, body.to_string().as_bytes())?)?;
        let id = made["Id"].as_str().context("the engine named no id")?;
        self.ask("POST", &format!("/containers/{id}/start"), &[])?;
        Ok(())
    }

    fn end(&self, name: &str) -> anyhow::Result<()> {
        self.ask("POST", &format!("/containers/{name}/stop"), &[])?;
        self.ask("DELETE", &format!("/containers/{name}"), &[])?;
        Ok(())
    }
}

impl Stand<'_> {
    /// As [`Stand::plain`], without a command line tool.
    pub(in crate::bench) fn floor(&self, version: &str) -> anyhow::Result<Vec<Span>> {
        let engine = Socket::of_engine();
        let from = SystemTime::now();
        let (image, name) = (self.image(version), self.name());
        let (repository, tag) = image.rsplit_once(':').context("an image without a tag")?;
        let candidate = format!("{name}-new");
        engine.ask(
            "POST",
            &format!("/images/create?fromImage={repository}&tag={tag}"),
            &[],
        )?;
        let probe = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        engine.run(&candidate, &image, "127.0.0.1", probe.port())?;
        healthy(probe)?;
        engine.end(name)?;
        engine.end(&candidate)?;
        engine.run(name, &image, "", self.address.port())?;
        let filters = json!({"dangling": ["false"], "label": [format!("app={name}")]}).to_string();
        let filters: String = filters.bytes().map(|byte| format!("%{byte:02x}")).collect();
        engine.ask("POST", &format!("/images/prune?filters={filters}"), &[])?;
        Ok(vec![Span::until_now("all", from)])
    }
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
