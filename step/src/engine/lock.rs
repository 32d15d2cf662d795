//! The locks of an engine: whoever may use the same engine has the same locks.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;
use xshell::cmd;

use super::Engine;
use super::error::EngineError;
use crate::host::lock::{Folder, Lock, LockError};
use crate::model::name::Name;

/// What tells a promotion from another step that tests the lock.
const PATIENCE: Duration = Duration::from_millis(200);

impl Engine {
    /// Has every call keep this lock until it ends: a command that outlives a killed step is
    /// still being done, and nobody may act on what it is about to change.
    #[must_use]
    pub fn holding(mut self, lock: &Lock) -> Self {
        self.limits.held = Some(Arc::clone(&lock.file));
        self
    }

    /// As [`Folder::take`].
    ///
    /// # Errors
    /// When the engine does not answer, or there is no lock to be had.
    pub fn lock(&self, live: &Name, patience: Duration) -> Result<Option<Lock>, EngineError> {
        self.locked(|folder| folder.take(live, patience))
    }

    /// The lock, for a step that must not work beside a promotion; `None` where one runs.
    ///
    /// # Errors
    /// As [`Engine::lock`].
    pub fn lock_if_no_promotion(&self, live: &Name) -> Result<Option<Lock>, EngineError> {
        self.lock(live, PATIENCE)
    }

    /// As [`Folder::use_images`], for as long as one call of the engine may take.
    ///
    /// # Errors
    /// As [`Engine::lock`].
    pub fn use_images(&self, app: &Name) -> Result<Option<File>, EngineError> {
        self.locked(|folder| folder.use_images(app, self.limits.timeout))
    }

    /// As [`Folder::remove_images`], for as long as one call of the engine may take.
    ///
    /// # Errors
    /// As [`Engine::lock`].
    pub fn lock_images(&self, app: &Name) -> Result<Option<File>, EngineError> {
        self.locked(|folder| folder.remove_images(app, self.limits.timeout))
    }

    /// Whoever may not use the engine has no use for its locks either: that is what he must hear of.
    fn locked<T>(
        &self,
        take: impl FnOnce(&Folder) -> Result<T, LockError>,
    ) -> Result<T, EngineError> {
        let folder = if self.is_users_own()? {
            Folder::own()
        } else {
            Folder::shared()
        };
        take(&folder).or_else(|error| {
            let Self { sh, cli, .. } = self;
            let version = cmd!(sh, "{cli} version --format '{{.Server.Version}}'");
            self.call(version.into())?.success()?;
            Err(EngineError::NoLock(error))
        })
    }

    /// Whether it is the engine of this user, who is not root: by whose socket it is. Podman has none.
    fn is_users_own(&self) -> Result<bool, EngineError> {
        if geteuid().is_root() {
            return Ok(false);
        }
        if let Some(socket) = &self.socket {
            return Ok(is_own(socket.path()));
        }
        let Self { sh, cli, .. } = self;
        let said = self.call(cmd!(sh, "{cli} --version").into())?.success()?;
        let is_podman = said.stdout.to_lowercase().contains("podman");
        let given = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
        let host = match (is_podman, given("CONTAINER_HOST"), given("DOCKER_HOST")) {
            (true, None, _) => return Ok(true),
            (true, Some(host), _) | (false, _, Some(host)) => host,
            (false, _, None) => self.context_endpoint()?,
        };
        Ok(host
            .strip_prefix("unix://")
            .is_some_and(|it| is_own(it.as_ref())))
    }
}

fn is_own(socket: &Path) -> bool {
    fs::metadata(socket).is_ok_and(|it| it.uid() == geteuid().as_raw())
}
