//! One app with two releases in the registry, on which each way to put them live is tried.

use std::net::SocketAddr;
use std::process::Command;

use stage::docker::Scope;
use tempfile::TempDir;
use xshell::Shell;

use super::app::App;
use super::lab::{Lab, done, free_address};

/// An app with a name, a port and two releases; all is removed when it is dropped.
pub(super) struct Stand<'a> {
    pub(super) sh: &'a Shell,
    scope: Scope,
    repository: String,
    pub(super) folder: TempDir,
    pub(super) address: SocketAddr,
}

impl<'a> Stand<'a> {
    pub(super) fn of(lab: &Lab<'a>, app: &App) -> anyhow::Result<Self> {
        let scope = Scope::new("bench");
        let repository = format!("{}/{}", lab.registry.host(), scope.app());
        for version in ["v1", "v2"] {
            app.publish(&format!("{repository}:{version}"), scope.app(), version)?;
        }
        Ok(Self {
            sh: lab.sh,
            scope,
            repository,
            folder: tempfile::tempdir()?,
            address: free_address()?,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.scope.app()
    }

    pub(super) fn image(&self, version: &str) -> String {
        format!("{}:{version}", self.repository)
    }

    /// The app's port on this machine and in the container.
    pub(super) fn ports(&self) -> String {
        format!("{}:8080", self.address.port())
    }

    /// Waits for the first answer.
    pub(super) fn answers(&self) -> anyhow::Result<()> {
        let mut ask = Command::new("curl");
        ask.args(["--silent", "--fail", "--retry", "100", "--retry-delay", "1"]);
        ask.arg("--retry-all-errors");
        done(ask.arg(format!("http://{}/", self.address))).map(drop)
    }
}
