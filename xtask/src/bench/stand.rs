//! One app with two releases, and how each way puts them live.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use anyhow::ensure;
use tempfile::TempDir;
use tests::cargo;
use tests::docker::{Scope, docker};
use tests::registry::Registry;
use xshell::Shell;

use super::app::App;
use super::peers::done;
use super::ways::{How, Way};
use crate::flags::{Deploy, Pipeline};
use crate::swap::Span;

/// One app with a name, a port and two releases in the registry; all is removed when it is dropped.
pub(crate) struct Stand<'a> {
    sh: &'a Shell,
    how: How,
    scope: Scope,
    repository: String,
    pub(super) folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Way {
    pub(crate) fn stand<'a>(
        &self,
        sh: &'a Shell,
        registry: &Registry,
        app: &App,
    ) -> anyhow::Result<Stand<'a>> {
        let scope = Scope::new("bench");
        let repository = format!("{}/{}", registry.host(), scope.app());
        for version in ["v1", "v2"] {
            app.publish(&format!("{repository}:{version}"), scope.app(), version)?;
        }
        Ok(Stand {
            sh,
            how: self.how,
            scope,
            repository,
            folder: tempfile::tempdir()?,
            address: TcpListener::bind("127.0.0.1:0")?.local_addr()?,
        })
    }
}

impl Stand<'_> {
    pub(crate) fn name(&self) -> &str {
        self.scope.app()
    }

    /// Puts v1 live, in the way under test where that leaves anything behind for the second time.
    pub(crate) fn first(&self) -> anyhow::Result<()> {
        let image = self.image("v1");
        match self.how {
            How::Plain | How::Floor | How::FloorOfSteps => {
                let port = format!("{}:8080", self.address.port());
                let run = [
                    "run",
                    "-d",
                    "--name",
                    self.name(),
                    "--restart",
                    "always",
                    "-p",
                    &port,
                    &image,
                ];
                docker(run).map(drop)?;
            }
            How::Compose => self.compose("v1").map(drop)?,
            How::Steps(_) => self.steps("v1").map(drop)?,
        }
        self.answers()
    }

    /// Replaces v1 by v2 and says when each part of it ran.
    pub(crate) fn second(&self) -> anyhow::Result<Vec<Span>> {
        match self.how {
            How::Plain => self.plain("v2"),
            How::Floor => self.floor("v2"),
            How::FloorOfSteps => self.floor_of_steps("v2"),
            How::Compose => self.compose("v2"),
            How::Steps(_) => self.steps("v2"),
        }
    }

    pub(super) fn image(&self, version: &str) -> String {
        format!("{}:{version}", self.repository)
    }

    fn answers(&self) -> anyhow::Result<()> {
        let url = format!("http://{}/", self.address);
        let mut ask = Command::new("curl");
        ask.args([
            "--silent",
            "--fail",
            "--retry",
            "100",
            "--retry-delay",
            "1",
            "--retry-all-errors",
            &url,
        ]);
        done(&mut ask).map(drop)
    }

    fn steps(&self, version: &str) -> anyhow::Result<Vec<Span>> {
        let How::Steps(bridge) = self.how else {
            return Ok(Vec::new());
        };
        let deploy = Deploy {
            image: self.image(version),
            pipeline: Pipeline {
                app: self.name().to_owned(),
                publish: vec![format!("{}:8080", self.address.port())],
                bridge: Some(bridge.to_owned()),
                keep: Some("0".to_owned()),
                quiet: true,
                sealed: true,
                set: vec!["pull-image --min-free=100MiB".to_owned()],
                steps: Some(cargo::released_steps()?.to_owned()),
                ..Pipeline::default()
            },
            rest: Vec::new(),
        };
        let report = deploy.report(self.sh)?;
        ensure!(report.ok, "a deployment failed: {report:?}");
        Ok(report.spans)
    }
}
