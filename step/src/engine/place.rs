//! Where the engine is, and where it keeps its data.

use std::path::Path;

use serde_json::Value;
use xshell::cmd;

use super::cli::Reply;
use super::error::EngineError;
use super::{Engine, context};

/// Where containerd keeps its data, unless its administrator has it elsewhere; the engine does not know.
const CONTAINERD: &str = "/var/lib/containerd";

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
        let info: Value = reply.read(&reply.stdout)?;
        // Docker's word for it, and podman's.
        let root = [&info["DockerRootDir"], &info["store"]["graphRoot"]];
        let root = root.into_iter().find_map(Value::as_str);
        let Some(root) = root else {
            // Docker 20.10 says so and calls it a success.
            let errors = info["ServerErrors"].as_array().into_iter().flatten();
            let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
            let told = Reply {
                code: Some(1),
                stderr: errors.join(" "),
                ..reply
            };
            return Err(match told.engine_is_away() {
                true => told.failure(),
                false => told.failed("it names no folder of images".to_owned()),
            });
        };
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
}
