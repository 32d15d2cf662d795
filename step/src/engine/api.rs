//! Queries that the engine's socket answers in the CLI's place; `None` where it has to be the CLI, which also says
//! best what is wrong.

pub mod child;
pub(super) mod http;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Engine;
use super::error::EngineError;
use super::json::nullable;
use super::network::{HostConfig, NetworkSummary};
use super::summary::ContainerSummary;
use http::{Answer, encoded};

/// A timeout of no time at all is none to the kernel.
const SHORTEST: Duration = Duration::from_millis(1);

/// What the engine keeps objects of.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Container,
    Image,
}

impl Kind {
    /// The CLI's word for one; the socket's is the plural of it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
        }
    }
}

/// An image in a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    id: String,
}

/// A container in a list.
#[derive(Deserialize)]
struct Shown {
    #[serde(rename = "Names", deserialize_with = "nullable")]
    names: Vec<String>,
    #[serde(rename = "ImageID")]
    image: String,
    #[serde(rename = "Labels", default, deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(rename = "HostConfig", default, deserialize_with = "nullable")]
    host_config: HostConfig,
}

impl Shown {
    /// Other containers may have names of their own for it, as `/other/name`.
    fn name(&self) -> &str {
        let own = self.names.iter().map(|name| name.trim_start_matches('/'));
        own.clone()
            .find(|name| !name.contains('/'))
            .unwrap_or_default()
    }

    /// Those that have a name of their own for it.
    fn linked_from(&self) -> impl Iterator<Item = (String, String)> {
        let names = self.names.iter().map(|name| name.trim_start_matches('/'));
        let linking = names.filter_map(|name| Some(name.split_once('/')?.0));
        linking.map(|from| (from.to_owned(), self.name().to_owned()))
    }
}

impl Engine {
    /// The answer to what the CLI would be asked by `call`, where it is a good one or says that there is none.
    fn query(&self, call: &str, path: &str) -> Result<Option<Answer>, EngineError> {
        self.query_until(Instant::now() + self.limits.timeout, call, path)
    }

    fn query_until(
        &self,
        end: Instant,
        call: &str,
        path: &str,
    ) -> Result<Option<Answer>, EngineError> {
        let Some(socket) = &self.socket else {
            return Ok(None);
        };
        let left = end.saturating_duration_since(Instant::now());
        match socket.ask(path, left.max(SHORTEST)) {
            Ok(answer) => Ok(Some(answer).filter(|it| matches!(it.status, 200 | 404))),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(EngineError::TimedOut {
                call: call.to_owned(),
                after: self.limits.timeout,
            }),
            Err(_) => Ok(None),
        }
    }

    /// Those of a kind that are among `names`.
    pub(super) fn inspected<T: DeserializeOwned>(
        &self,
        kind: Kind,
        names: &[&str],
    ) -> Result<Option<Vec<T>>, EngineError> {
        let mut found = Vec::new();
        let end = Instant::now() + self.limits.timeout;
        let call = format!("docker {} inspect", kind.word());
        for name in names {
            let path = format!("/{}s/{}/json", kind.word(), encoded(name));
            let Some(answer) = self.query_until(end, &call, &path)? else {
                return Ok(None);
            };
            if answer.status == 404 {
                continue;
            }
            let Some(object) = answer.json() else {
                return Ok(None);
            };
            found.push(object);
        }
        Ok(Some(found))
    }

    /// The ids of the images that pass the filter, such as `label=app=web`.
    pub(super) fn listed_images(&self, filter: &str) -> Result<Option<Vec<String>>, EngineError> {
        let (key, value) = filter.split_once('=').unwrap_or((filter, ""));
        let filters = encoded(&serde_json::json!({key: [value]}).to_string());
        let path = format!("/images/json?all=true&filters={filters}");
        let answer = self.query("docker image ls", &path)?;
        let images = answer.and_then(|it| it.json::<Vec<Named>>());
        Ok(images.map(|all| all.into_iter().map(|it| it.id).collect()))
    }

    /// All containers, running or not.
    pub(super) fn listed_containers(&self) -> Result<Option<Vec<ContainerSummary>>, EngineError> {
        let answer = self.query("docker ps", "/containers/json?all=true")?;
        let shown = answer.and_then(|it| it.json::<Vec<Shown>>());
        let summary = |it: Shown| ContainerSummary {
            name: it.name().to_owned(),
            links: it.linked_from().collect(),
            network_of: it.host_config.network_of(),
            image: it.image,
            labels: it.labels,
        };
        Ok(shown.map(|all| all.into_iter().map(summary).collect()))
    }

    /// The engine's networks.
    pub(super) fn listed_networks(&self) -> Result<Option<Vec<NetworkSummary>>, EngineError> {
        let answer = self.query("docker network ls", "/networks")?;
        Ok(answer.and_then(|it| it.json()))
    }

    /// The last lines of a container's log, both streams.
    pub(super) fn logged(&self, id: &str, lines: usize) -> Result<Option<String>, EngineError> {
        let path = format!("/containers/{id}/logs?stdout=true&stderr=true&tail={lines}");
        let answer = self.query("docker logs", &path)?;
        let answer = answer.filter(|it| it.status == 200);
        Ok(answer.map(|it| unframed(&it.body)))
    }
}

/// Both streams come as frames: which it is, three zeros, four bytes of length, the text; a terminal's comes as it is.
fn unframed(mut body: &[u8]) -> String {
    let mut text = Vec::new();
    while let [1 | 2, 0, 0, 0, a, b, c, d, rest @ ..] = body {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
        let (frame, further) = rest.split_at(length.min(rest.len()));
        text.extend_from_slice(frame);
        body = further;
    }
    text.extend_from_slice(body);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_with_and_without_frames() {
        let framed = b"\x01\0\0\0\0\0\0\x04one\n\x02\0\0\0\0\0\0\x04two\n";
        assert_eq!(unframed(framed), "one\ntwo\n");
        assert_eq!(unframed(b"\x1b[1mone\n"), "\x1b[1mone\n");
        assert_eq!(unframed(&framed[..14]), "one\n\x02\0");
        assert_eq!(unframed(b"\x01\0\0\0\0\0\0\xffcut"), "cut");
    }
}
