//! The steps on an engine that is full of other containers and images.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use stage::docker::{Scope, docker};
use stage::image::Image;

use crate::bench::lab::{self, free_address};
use crate::bench::socket::Socket;
use crate::table::{Table, texts, thousands};

const IMAGES: usize = 2000;
const CONTAINERS: usize = 500;

/// A step's time, and the most memory it had.
type Cost = (Duration, usize);

pub(super) fn measure() -> anyhow::Result<Table> {
    let scope = Scope::new("full");
    for version in ["v1", "v2", "v3"] {
        Image::of(scope.app())
            .version(version)
            .build(&image(&scope, version))?;
    }
    let port = free_address()?.port();
    deploy(&scope, "v1", port)?;
    let listed = || step(&scope, "prune-app", &["--dry-run"]);
    let alone = deploy(&scope, "v2", port)?.into_iter().chain([listed()?]);
    let alone: Vec<Cost> = alone.collect();
    fill(&scope)?;
    let among = deploy(&scope, "v3", port)?.into_iter().chain([listed()?]);
    let removing = step(&scope, "prune-app", &[])?;
    let names = [
        "start-candidate",
        "probe-health",
        "promote",
        "prune-app --dry-run",
    ];
    let costs = alone.into_iter().zip(among);
    let row = |(name, (alone, among))| [texts([name]), cells(alone), cells(among)].concat();
    let mut rows: Vec<_> = names.into_iter().zip(costs).map(row).collect();
    let removed = thousands((IMAGES - CONTAINERS) / 2);
    let name = format!("prune-app, {removed} images removed");
    rows.push([vec![name], texts(["-", "-"]), cells(removing)].concat());
    Ok(Table {
        caption: format!(
            "On an empty engine, and among {CONTAINERS} containers and {} images, half of them the app's",
            thousands(IMAGES)
        ),
        left: 1,
        head: texts(["step", "ms", "memory, MB", "among many, ms", "memory, MB"]),
        rows,
    })
}

fn cells((took, bytes): Cost) -> Vec<String> {
    vec![
        thousands(took.as_millis() as usize),
        format!("{:.1}", bytes as f64 / 1000.0),
    ]
}

fn image(scope: &Scope, version: &str) -> String {
    format!("{}:{version}", scope.app())
}

fn deploy(scope: &Scope, version: &str, port: u16) -> anyhow::Result<[Cost; 3]> {
    let publish = format!("{port}:8080");
    let start = ["--image", &image(scope, version), "--publish", &publish];
    Ok([
        step(scope, "start-candidate", &start)?,
        step(scope, "probe-health", &[])?,
        step(scope, "promote", &[])?,
    ])
}

/// Its own memory only: the command line tool of the engine has its own.
fn step(scope: &Scope, name: &str, words: &[&str]) -> anyhow::Result<Cost> {
    let mut command = lab::step(name, scope, words)?;
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn()?;
    let (status, mut most) = (format!("/proc/{}/status", child.id()), 0);
    loop {
        let seen = fs::read_to_string(&status).unwrap_or_default();
        let peak = seen.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|it| it.trim().strip_suffix(" kB")?.parse().ok());
        // Before it runs the step, the new process is a copy of this one.
        let is_step = seen
            .lines()
            .next()
            .is_some_and(|line| name.starts_with(line.trim_start_matches("Name:").trim()));
        most = most.max(peak.filter(|_| is_step).unwrap_or(0));
        if let Some(ended) = child.try_wait()? {
            ensure!(ended.success(), "{name} failed");
            return Ok((began.elapsed(), most));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Half of the images are the app's, and every fourth of them is in use.
fn fill(scope: &Scope) -> anyhow::Result<()> {
    let engine = Socket::of_engine();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    tar.append_data(&mut header, "file", &b"."[..])?;
    let layer = tar.into_inner()?;
    let app = scope.app();
    for n in 0..IMAGES {
        let whose = if n % 2 == 0 {
            app.to_owned()
        } else {
            format!("{app}-other")
        };
        let path = format!(
            "/images/create?fromSrc=-&repo={app}-many&tag=v{n}&changes=LABEL%20app%3D{whose}&changes=ENV%20N%3D{n}"
        );
        engine.ask("POST", &path, &layer)?;
    }
    for n in 0..CONTAINERS {
        let body = json!({"Image": format!("{app}-many:v{n}"), "Cmd": ["/none"]}).to_string();
        let path = format!("/containers/create?name={app}-many-{n}");
        engine.ask("POST", &path, body.as_bytes())?;
        scope.also_container(&format!("{app}-many-{n}"));
    }
    docker(["version"]).map(drop).context("the engine is gone")
}
