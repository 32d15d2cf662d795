//! The queries the steps have for the engine, each one call of its CLI.

use std::process::Command;

use serde::de::DeserializeOwned;
use serde_json::Value;
use xshell::cmd;

use super::Engine;
use super::api::Kind;
use super::container::Container;
use super::error::EngineError;
use super::image::Image;
use super::summary::ContainerSummary;
use crate::model::port::Publish;

/// How many objects one call of the CLI is asked about: far below the limit of a command line.
const BATCH: usize = 200;

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

    /// A container with this id and its image as the engine shows them; `None` where one of them is gone.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn shown(&self, id: &str, image: &str) -> Result<Option<(Value, Value)>, EngineError> {
        let container = self.all_of::<Value>(Kind::Container, &[id])?.pop();
        let image = self.all_of::<Value>(Kind::Image, &[image])?.pop();
        Ok(container.zip(image))
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
        let found = reply.read(&reply.stdout);
        let has_answered = reply.code == Some(0) || !reply.stdout.trim().is_empty();
        found.map_err(|unreadable| match has_answered {
            // What else it says is of another object, or of none.
            true => unreadable,
            false => reply.failure(),
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

    /// The full ids of running containers that publish a port of the host as `wanted` does; or of all that run, from
    /// an engine that does not filter by ports (podman).
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn publishing(&self, wanted: &Publish) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        let port = wanted.host_port();
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

    /// The ids of the images that match `filter` (such as `label=app=web`, `reference=R`), untagged ones included.
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

    pub(super) fn lines(&self, command: Command) -> Result<Vec<String>, EngineError> {
        let reply = self.call(command)?.success()?;
        Ok(reply
            .stdout
            .lines()
            .map(str::to_owned)
            .filter(|line| !line.is_empty())
            .collect())
    }
}
