//! The engine's socket, asked without a command line tool.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use stage::docker;

/// The socket of the engine on this machine.
pub(super) struct Socket(PathBuf);

impl Socket {
    pub(super) fn of_engine() -> Self {
        Self(docker::socket())
    }

    /// One request, answered to its end.
    pub(super) fn ask(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<String> {
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
    pub(super) fn tell(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.ask("GET", path, &[])?)?)
    }

    pub(super) fn look(&self, container: &str) -> anyhow::Result<Value> {
        self.tell(&format!("{container}/json"))
    }

    pub(super) fn order(&self, method: &str, path: &str) -> anyhow::Result<()> {
        self.ask(method, path, &[]).map(drop)
    }

    pub(super) fn pull(&self, image: &str) -> anyhow::Result<()> {
        let (repository, tag) = image.rsplit_once(':').context("an image without a tag")?;
        let path = format!("/images/create?fromImage={repository}&tag={tag}");
        self.order("POST", &path)
    }

    /// The path of a new container.
    pub(super) fn create(
        &self,
        name: &str,
        image: &str,
        at: (&str, u16),
    ) -> anyhow::Result<String> {
        let at = json!([{"HostIp": at.0, "HostPort": at.1.to_string()}]);
        let body = json!({
            "Image": image, "ExposedPorts": {"8080/tcp": {}},
            "HostConfig": {"PortBindings": {"8080/tcp": at}},
        });
        let path = format!("/containers/create?name={name}");
        let made = self.ask("POST", &path, body.to_string().as_bytes())?;
        path_of(&serde_json::from_str(&made)?)
    }

    pub(super) fn start(&self, container: &str) -> anyhow::Result<()> {
        self.order("POST", &format!("{container}/start"))
    }

    pub(super) fn stop(&self, container: &str) -> anyhow::Result<()> {
        self.order("POST", &format!("{container}/stop"))
    }

    pub(super) fn rename(&self, container: &str, name: &str) -> anyhow::Result<()> {
        self.order("POST", &format!("{container}/rename?name={name}"))
    }
}

/// Where a container is asked for, whatever it is called by then.
pub(super) fn path_of(container: &Value) -> anyhow::Result<String> {
    let id = container["Id"].as_str();
    let id = id.context("the engine named no id")?;
    Ok(format!("/containers/{id}"))
}
