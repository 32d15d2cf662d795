//! The ways that others go: the plain shell script and docker-compose.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use tests::process::run_within;

use super::stand::Stand;
use super::ways::compose;
use crate::swap::{Span, at};

const LIMIT: Duration = Duration::from_secs(120);

impl Stand<'_> {
    pub(super) fn plain(&self, version: &str) -> anyhow::Result<Vec<Span>> {
        let probe = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut script = Command::new("sh");
        script
            .args([
                "-c",
                include_str!("plain.sh"),
                "sh",
                self.name(),
                &self.image(version),
            ])
            .args([self.address.port(), probe].map(|port| port.to_string()));
        let said = done(&mut script)?;
        let marks = said.lines().map(|line| {
            let (nanos, name) = line.split_once(' ').context("a mark has no name")?;
            Ok((at(nanos).context("a mark has no time")?, name))
        });
        let marks: Vec<(SystemTime, &str)> = marks.collect::<anyhow::Result<_>>()?;
        let span = |two: &[(SystemTime, &str)]| Span {
            name: two[0].1.to_owned(),
            from: two[0].0,
            to: two[1].0,
        };
        Ok(marks.windows(2).map(span).collect())
    }

    pub(super) fn compose(&self, version: &str) -> anyhow::Result<Vec<Span>> {
        let file = self.folder.path().join("compose.yaml");
        let (name, port, image) = (self.name(), self.address.port(), self.image(version));
        let text = format!(
            "version: '3'\nservices:\n  web:\n    container_name: {name}\n    image: {image}\n    restart: always\n    network_mode: bridge\n    ports: ['{port}:8080']\n"
        );
        fs::write(&file, text)?;
        let mut spans = Vec::new();
        for args in [&["pull", "--quiet"][..], &["up", "-d"]] {
            let from = SystemTime::now();
            let mut command = compose().context("docker-compose is gone")?;
            done(command.args(["-p", name, "-f"]).arg(&file).args(args))?;
            spans.push(Span::until_now(args[0], from));
        }
        Ok(spans)
    }
}

/// Runs a command to its good end and returns what it said.
pub(super) fn done(command: &mut Command) -> anyhow::Result<String> {
    let run = run_within(command, None, LIMIT)?;
    let name = command.get_program().to_string_lossy();
    ensure!(
        run.code == 0,
        "`{name}` failed with {}: {}",
        run.code,
        run.stderr.trim()
    );
    Ok(run.stdout)
}
