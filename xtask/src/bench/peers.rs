//! The ways that others go: the plain shell script and docker-compose.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use stage::docker::docker;
use stage::ground;
use stage::process::run_within;

use super::lab::{done, free_address};
use super::stand::Stand;
use crate::swap::{Span, at};

/// The first release, as anybody starts it.
pub(super) fn run(stand: &Stand<'_>, version: &str) -> anyhow::Result<Vec<Span>> {
    let from = SystemTime::now();
    let (ports, image) = (stand.ports(), stand.image(version));
    let options = ["--restart", "always", "-p", &ports, &image];
    docker([&["run", "-d", "--name", stand.name()], &options[..]].concat())?;
    Ok(vec![Span::until_now("all", from)])
}

pub(super) fn plain(stand: &Stand<'_>, version: &str) -> anyhow::Result<Vec<Span>> {
    let probe = free_address()?;
    let mut script = Command::new("sh");
    let image = stand.image(version);
    script.args(["-c", include_str!("plain.sh"), "sh", stand.name(), &image]);
    script.args([stand.address, probe].map(|it| it.port().to_string()));
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

pub(super) fn compose(stand: &Stand<'_>, version: &str) -> anyhow::Result<Vec<Span>> {
    let file = stand.folder.path().join("compose.yaml");
    let (name, ports, image) = (stand.name(), stand.ports(), stand.image(version));
    let text = format!(
        "version: '3'\nservices:\n  web:\n    container_name: {name}\n    image: {image}\n    restart: always\n    network_mode: bridge\n    ports: ['{ports}']\n"
    );
    fs::write(&file, text)?;
    let mut spans = Vec::new();
    for args in [&["pull", "--quiet"][..], &["up", "-d"]] {
        let from = SystemTime::now();
        let mut command = docker_compose().context("docker-compose is gone")?;
        done(command.args(["-p", name, "-f"]).arg(&file).args(args))?;
        spans.push(Span::until_now(args[0], from));
    }
    Ok(spans)
}

/// The command of docker-compose, whichever generation this machine has.
pub(super) fn docker_compose() -> Option<Command> {
    if let Some(program) = ground::find("docker-compose") {
        return Some(Command::new(program));
    }
    let mut plugin = Command::new("docker");
    plugin.args(["compose", "version"]);
    let answers = run_within(&mut plugin, None, Duration::from_secs(20));
    answers.is_ok_and(|run| run.code == 0).then(|| {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    })
}
