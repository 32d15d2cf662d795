//! The queries the steps have for the engine, each one call of its CLI.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use xshell::cmd;

use super::api::Kind;
use super::cli::Reply;
use super::container::{Container, ContainerSummary};
use super::error::EngineError;
use super::image::Image;
use super::json::{nullable, unreadable as not_json};
use super::{Engine, context};
use crate::text::tail;

/// How many objects one call of the CLI is asked about: far below the limit of a command line.
const BATCH: usize = 200;
/// Where containerd keeps its data, unless its administrator has it elsewhere; the engine does not know.
const CONTAINERD: &str = "/var/lib/containerd";

/// A network, by `docker network inspect`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inhabited {
    #[serde(default, deserialize_with = "nullable")]
    containers: BTreeMap<String, Place>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    #[serde(rename = "IPv4Address")]
    ipv4: String,
}

/// Docker's own folder, and containerd's where that keeps the images: it may be on another disk.
fn folders(root: &str, by_containerd: bool) -> Vec<String> {
    let containerd = by_containerd && Path::new(CONTAINERD).is_dir();
    let containerd = containerd.then_some(CONTAINERD);
    [root]
        .into_iter()
        .chain(containerd)
        .map(str::to_owned)
        .collect()
}

impl Engine {
    /// The containers among `names`, found by exact name or full id (the CLI itself also takes
    /// the beginning of another container's id for a name).
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn containers(&self, names: &[&str]) -> Result<Vec<Container>, EngineError> {
        let mut found: Vec<Container> = self.all_of(Kind::Container, names)?;
        for container in &mut found {
            // Podman does not say so of these, as docker does.
            let state = &mut container.state;
            state.running |= matches!(state.status.as_str(), "paused" | "stopping");
        }
        let asked = |c: &Container| names.contains(&c.name()) || names.contains(&c.id.as_str());
        Ok(found.into_iter().filter(asked).collect())
    }

    /// One container, by exact name or full id.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn container(&self, name: &str) -> Result<Option<Container>, EngineError> {
        Ok(self.containers(&[name])?.into_iter().next())
    }

    /// The images among `references`.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn images(&self, references: &[&str]) -> Result<Vec<Image>, EngineError> {
        self.all_of(Kind::Image, references)
    }

    /// One image.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        Ok(self.images(&[reference])?.into_iter().next())
    }

    /// One image, and of one that is kept for several platforms what it is for `platform`.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn image_for(
        &self,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<Option<Image>, EngineError> {
        let Self { sh, cli, .. } = self;
        let found = self.image(reference)?;
        let several = found.as_ref().filter(|image| image.is_known_by_digest());
        let Some((image, platform)) = several.zip(platform) else {
            return Ok(found);
        };
        let ask = cmd!(sh, "{cli} image inspect --platform={platform} {reference}");
        let asked = match self.inspect::<Image>(ask.into()) {
            // An older one cannot be asked so.
            Err(EngineError::Failed { .. }) => Vec::new(),
            asked => asked?,
        };
        let asked = asked.into_iter().next().map(|mut asked| {
            // Its own is no name for anything else.
            asked.id.clone_from(&image.id);
            asked
        });
        Ok(asked.or(found))
    }

    /// Those of a kind that are among `names`.
    fn all_of<T: DeserializeOwned>(
        &self,
        kind: Kind,
        names: &[&str],
    ) -> Result<Vec<T>, EngineError> {
        let Self { sh, cli, .. } = self;
        if let Some(found) = self.inspected(kind, names)? {
            return Ok(found);
        }
        let (kind, mut found) = (kind.word(), Vec::new());
        for some in names.chunks(BATCH) {
            found.extend(self.inspect::<T>(cmd!(sh, "{cli} {kind} inspect {some...}").into())?);
        }
        Ok(found)
    }

    /// `inspect` fails when any object is missing, yet prints those it found.
    pub(super) fn inspect<T: DeserializeOwned>(
        &self,
        command: Command,
    ) -> Result<Vec<T>, EngineError> {
        let reply = self.call(command)?;
        if reply.engine_is_away() {
            return Err(reply.failure());
        }
        serde_json::from_str(&reply.stdout).map_err(|error| match reply.code {
            Some(0) => EngineError::Failed {
                call: reply.call.clone(),
                message: not_json(&error),
            },
            _ => reply.failure(),
        })
    }

    /// All containers, running or not; those `also` even where the CLI's list is cut short.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn summaries(&self, also: &[&str]) -> Result<Vec<ContainerSummary>, EngineError> {
        let Self { sh, cli, .. } = self;
        if let Some(all) = self.listed_containers()? {
            return Ok(all);
        }
        let list = cmd!(sh, "{cli} ps --all --no-trunc --format '{{.ID}}'");
        let mut ids = self.lines(list.into())?;
        ids.extend(also.iter().map(|&name| name.to_owned()));
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        Ok(self
            .containers(&ids)?
            .into_iter()
            .map(ContainerSummary::from)
            .collect())
    }

    /// The full ids of running containers that publish `port` on the host; or of all that run, from
    /// an engine that does not filter by ports (podman).
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn publishing(&self, port: u16) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        let port = port.to_string();
        let filtered = cmd!(
            sh,
            "{cli} ps --no-trunc --filter publish={port} --format '{{.ID}}'"
        );
        match self.lines(filtered.into()) {
            Err(EngineError::Failed { .. }) => {
                self.lines(cmd!(sh, "{cli} ps --no-trunc --format '{{.ID}}'").into())
            }
            answered => answered,
        }
    }

    /// The ids of the images that match any of `filters` (such as `label=app=web`, `reference=R`),
    /// untagged ones included.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn image_ids(&self, filter: &str) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        let told = self.listed_images(filter)?;
        let cli = cmd!(
            sh,
            "{cli} image ls --all --no-trunc --filter {filter} --format '{{.ID}}'"
        );
        let mut ids = told.map_or_else(|| self.lines(cli.into()), Ok)?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The full id of the container that has this address on a network, if one that runs there has.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn holder(&self, network: &str, address: IpAddr) -> Result<Option<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        let found: Vec<Inhabited> =
            self.inspect(cmd!(sh, "{cli} network inspect {network}").into())?;
        let mut places = found.into_iter().flat_map(|network| network.containers);
        let there = |place: &Place| place.ipv4.split('/').next()?.parse().ok();
        let held = places.find(|(_, place)| there(place) == Some(address));
        Ok(held.map(|(id, _)| id))
    }

    pub(super) fn lines(&self, command: Command) -> Result<Vec<String>, EngineError> {
        let reply = self.call(command)?.success()?;
        Ok(reply
            .stdout
            .lines()
            .map(str::to_owned)
            .filter(|line| !line.is_empty())
            .collect())
    }

    /// The folders where the engine keeps images and containers, as the container of this name shows where there is one:
    /// docker runs three programs before it tells of itself.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn folders(&self, container: Option<&str>) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        // Asked by the CLI, the one costs as much as the other.
        if let Some(name) = container.filter(|_| self.socket.is_some())
            && let Some(found) = self.container(name)?
            && let Some(root) = found.data_root()
        {
            return Ok(folders(root, found.is_of_containerds_image()));
        }
        let reply = self.call(cmd!(sh, "{cli} info --format '{{json .}}'").into())?;
        let reply = reply.success()?;
        let unreadable = |message| EngineError::Failed {
            call: reply.call.clone(),
            message,
        };
        let info: Value =
            serde_json::from_str(&reply.stdout).map_err(|error| unreadable(not_json(&error)))?;
        // Docker's word for it, and podman's.
        let root = [&info["DockerRootDir"], &info["store"]["graphRoot"]];
        let root = root.into_iter().find_map(Value::as_str);
        let root = root.ok_or_else(|| unreadable("it names no folder of images".to_owned()))?;
        let by = info["DriverStatus"].to_string();
        Ok(folders(root, by.contains("io.containerd.snapshotter")))
    }

    /// The address of an engine on another machine, or `None` for one on this machine.
    pub fn remote_host(&self) -> Option<String> {
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
        context::chosen().ok()??;
        self.context_endpoint().ok()
    }

    /// The address of the CLI's current context.
    pub(super) fn context_endpoint(&self) -> Result<String, EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(
            cmd!(
                sh,
                "{cli} context inspect --format '{{.Endpoints.docker.Host}}'"
            )
            .into(),
        )?;
        Ok(reply.success()?.stdout.trim().to_owned())
    }

    /// The last `count` lines of a container's log, both streams; empty where the log driver keeps none.
    pub fn log_tail(&self, id: &str, count: usize, secrets: &[String]) -> Vec<String> {
        let Self { sh, cli, .. } = self;
        match self.logged(id, count) {
            Ok(Some(log)) => return tail(&log, count, secrets),
            Ok(None) => {}
            Err(_) => return Vec::new(),
        }
        let lines = count.to_string();
        match self.call(cmd!(sh, "{cli} logs --tail {lines} {id}").into()) {
            Ok(Reply {
                code: Some(0),
                stdout,
                stderr,
                ..
            }) => tail(&format!("{stdout}\n{stderr}"), count, secrets),
            _ => Vec::new(),
        }
    }
}
