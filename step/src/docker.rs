//! The engine: finding its command line tool and asking it questions with a deadline.

mod asked;
mod call;
mod container;
mod events;
mod image;
mod network;
mod order;
mod orders;
mod questions;
mod socket;
mod stdin;
mod swarm;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use thiserror::Error;
use xshell::Shell;

use crate::{Code, EngineArgs, Lock, Verdict};
use socket::Socket;

pub use call::Reply;
pub use container::{Container, Mount, State};
pub(crate) use events::{Death, Word};
pub use image::{Image, familiar};
pub use network::Attachment;
pub(crate) use order::requested;
pub use questions::Tenant;
pub use swarm::{Node, Service, ServiceOptions, Standing, Task, Update, leads_ports, names_option};

/// The engine, reached through its CLI; `docker` or a compatible one.
#[derive(Clone, Debug)]
pub struct Engine {
    sh: Shell,
    cli: PathBuf,
    /// What it is asked by in the CLI's place, where that is sure to be the same engine.
    socket: Option<Socket>,
    timeout: Duration,
    /// The lock that every call keeps until it ends, whatever becomes of this process.
    held: Option<Arc<File>>,
}

/// Why the engine did not do what it was asked.
#[derive(Debug, Error)]
pub enum EngineError {
    /// No CLI on the path, or not the one that was named.
    #[error("no docker command line tool: {0}")]
    NoCli(String),
    /// The engine does not answer, or not to this user.
    #[error("the engine does not answer: {0}")]
    Unreachable(String),
    /// With `--swarm`, an engine that manages no swarm.
    #[error("this engine manages no swarm: {0}")]
    NoManager(String),
    /// A call took longer than its deadline; what it did is unknown.
    #[error("`{call}` took longer than {after:?}")]
    TimedOut {
        /// The words of the call, without values.
        call: String,
        /// The deadline.
        after: Duration,
    },
    /// The call was given up because the step was told to stop.
    #[error("`{call}` was interrupted")]
    Interrupted {
        /// The words of the call, without values.
        call: String,
    },
    /// Any other failure, with what the CLI said, made printable.
    #[error("`{call}` failed: {message}")]
    Failed {
        /// The words of the call, without values.
        call: String,
        /// What the CLI wrote to its stderr.
        message: String,
    },
}

impl EngineError {
    /// Exit code and hint.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::NoCli(_) => Verdict::new(
                Code::NoDocker,
                "install docker (or podman), or name it with --docker PATH",
            ),
            Self::Unreachable(_) => Verdict::new(
                Code::EngineUnreachable,
                "check that the engine runs (`docker version`), that this user may use it (group docker, or sudo), and DOCKER_HOST",
            ),
            Self::NoManager(_) => Verdict::new(
                Code::NoManager,
                "run the steps on a manager of the swarm (`docker node ls` answers there; `docker swarm init` makes one), or leave --swarm out",
            ),
            Self::TimedOut { .. } => Verdict::new(
                Code::EngineTimeout,
                "look at the engine's load and log, then run the same command again; it carries on from what it finds",
            ),
            Self::Interrupted { .. } => {
                Verdict::new(Code::Interrupted, "run the same command again")
            }
            Self::Failed { .. } => Verdict::new(
                Code::Unexpected,
                "this failure has no class of its own; the message is the engine's",
            ),
        }
    }
}

impl Engine {
    /// Finds the CLI: the one named, else `docker`, else `podman`.
    ///
    /// # Errors
    /// [`EngineError::NoCli`].
    pub fn find(args: &EngineArgs) -> Result<Self, EngineError> {
        let found = match &args.docker {
            Some(named) => which::which(named).map_err(|error| {
                let named = crate::printable(&named.to_string_lossy(), 200);
                EngineError::NoCli(format!("{named}: {error}"))
            }),
            None => which::which("docker")
                .or_else(|_| which::which("podman"))
                .map_err(|_| {
                    EngineError::NoCli("neither docker nor podman is on the PATH".to_owned())
                }),
        };
        let sh = Shell::new().map_err(|error| EngineError::NoCli(error.to_string()))?;
        let cli = found?;
        // A program that was named is meant, and no way around it.
        let unnamed = args.docker.is_none();
        let socket = unnamed.then(|| Socket::of(&cli, matches!(chosen_context(), Ok(None))));
        Ok(Self {
            sh,
            cli,
            socket: socket.flatten(),
            timeout: args.engine_timeout,
            held: None,
        })
    }

    /// Has every call keep this lock until it ends: an order that outlives a killed step is
    /// still being carried out, and nobody may act on what it is about to change.
    #[must_use]
    pub fn holding(mut self, lock: &Lock) -> Self {
        self.held = Some(Arc::clone(&lock.file));
        self
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn held(&self) -> Option<Arc<File>> {
        self.held.clone()
    }

    /// The address of an engine on another machine, or `None` for one on this machine.
    pub fn elsewhere(&self) -> Option<String> {
        let host = std::env::var("DOCKER_HOST").ok().filter(|h| !h.is_empty());
        let host = host.or_else(|| self.context_host())?;
        let local = [
            "unix://",
            "npipe://",
            "fd://",
            "tcp://127.",
            "tcp://localhost",
            "tcp://[::1]",
        ];
        let is_local = host.starts_with('/') || local.iter().any(|prefix| host.starts_with(prefix));
        (!is_local).then_some(host)
    }

    fn context_host(&self) -> Option<String> {
        chosen_context().ok()??;
        self.context_endpoint().ok()
    }
}

/// The context that the CLI is told to use, if it is not the usual one.
///
/// # Errors
/// When its settings cannot be read.
fn chosen_context() -> io::Result<Option<String>> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let is_usual = |name: &String| name.is_empty() || name == "default";
    if let Some(name) = set("DOCKER_CONTEXT") {
        let name = name.to_string_lossy().into_owned();
        return Ok(Some(name).filter(|it| !is_usual(it)));
    }
    let home = || Some(std::env::home_dir()?.join(".docker"));
    let folder = set("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    let text = match folder.map(|it| std::fs::read_to_string(it.join("config.json"))) {
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Some(read) => read?,
        None => return Ok(None),
    };
    let config: BTreeMap<String, Value> = serde_json::from_str(&text)?;
    // Go's decoder does not care for the case of letters.
    let mut words = config.iter();
    let found = words.find(|(key, _)| key.eq_ignore_ascii_case("currentContext"));
    let name = found.and_then(|(_, value)| Some(value.as_str()?.to_owned()));
    Ok(name.filter(|it| !is_usual(it)))
}

/// The engine writes `null` for what is empty.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    value: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// A full id as docker writes an image's: podman leaves out what it is a digest by.
fn image_id<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let id = String::deserialize(value)?;
    let bare = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(if bare { format!("sha256:{id}") } else { id })
}

/// Words, or one text of them all as older podman writes an entrypoint.
fn words<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Words(Vec<String>),
        Text(String),
    }
    Ok(match Option::deserialize(value)? {
        Some(Either::Words(words)) => words,
        Some(Either::Text(text)) => vec![text],
        None => Vec::new(),
    })
}

/// The number in `80/tcp`.
fn tcp_port(key: &str) -> Option<u16> {
    let number = key.strip_suffix("/tcp")?.parse().ok();
    number.filter(|&port| port > 0)
}

/// The engine's words may be quoted in it.
pub(crate) fn unreadable(error: &serde_json::Error) -> String {
    let why = crate::printable(&error.to_string(), 300);
    format!("its answer could not be read: {why}")
}
