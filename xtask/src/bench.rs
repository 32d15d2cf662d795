//! `cargo xtask bench`: the same apps under the same load, replaced in different ways, side by side.

mod app;
mod costs;
mod fronts;
mod peers;
mod proxy;
mod report;
mod result;
mod stand;
mod ways;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::iter;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use tests::cargo;
use tests::registry::Registry;
use tests::stage::{self, Ground, Need};
use tests::unpacked;
use xshell::Shell;

use crate::flags;
use crate::numbers::Numbers;
use crate::page::Trace;
use crate::swap::under_load;
use app::{APPS, App};
use costs::Lab;
use result::{Bench, Row};
use ways::Way;

/// What a bench measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What clients see of a release, by four ways.
    Swaps,
    /// What a proxy in front costs.
    Proxies,
    /// How long a deployment takes, beside the plain way and the engine's own work.
    Time,
    /// What waiting loses, after a boot and after a crash.
    Waits,
    /// The programs' sizes and how fast they start.
    Programs,
    /// The steps on an engine with 500 containers and 2,000 images.
    Scale,
    /// A release while the port is as busy as the machine allows.
    Pressure,
    /// The same pipeline on one VM and on a swarm of up to three nodes, as root.
    Swarm,
}

/// What is compared with and only unpacked: the proxies' packages start services.
const PROGRAMS: [&str; 3] = ["nginx", "haproxy", "wrk"];
/// What is compared with.
const PEERS: [Need; 2] = [("curl", "curl"), ("docker-compose", "docker-compose")];

impl flags::Bench {
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<ExitCode> {
        if let Some(file) = &self.from {
            let text =
                fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
            let bench = serde_json::from_slice(&text)
                .with_context(|| format!("{} was not written by --json", file.display()))?;
            return self.show(&bench);
        }
        // Without --install they are left out, and the result says so.
        let also: &[Need] = if self.install { &PEERS } else { &PEERS[..1] };
        let ground = stage::prepare_with(self.install, also, None)?;
        if !stage::inside() {
            progress("building the steps and the demo app")?;
            if self.install {
                unpacked::provide(&PROGRAMS)?;
            }
        }
        cargo::released_steps()?;
        cargo::demo_app()?;
        if ground == Ground::Private {
            progress("no engine answers, so a private one is started; it ends with the bench")?;
            let own = ["/proc/self/exe", "bench"].map(OsString::from);
            let argv: Vec<OsString> = own.into_iter().chain(env::args_os().skip(2)).collect();
            return Ok(ExitCode::from(crate::code(stage::run(&argv, false)?)));
        }
        self.show(&self.measure(sh)?)
    }

    fn measures(&self, part: Part) -> bool {
        self.part.is_empty() || self.part.contains(&part)
    }

    fn measure(&self, sh: &Shell) -> anyhow::Result<Bench> {
        let registry = Registry::start()?;
        let runs = if self.quick { 1 } else { self.runs };
        let mut bench = Bench::begin(runs)?;
        let lab = Lab {
            sh,
            registry: &registry,
            rounds: if self.quick { 3 } else { 10 },
        };
        let all = Part::value_variants().iter();
        for part in all.filter(|part| self.measures(**part)) {
            match part {
                Part::Swaps => bench.swaps(sh, &registry)?,
                Part::Proxies => {
                    progress("what a proxy in front costs")?;
                    bench.fronts = fronts::measure(&mut bench.left_out)?;
                }
                part => {
                    progress(&format!("{part:?}").to_lowercase())?;
                    bench.costs.extend(lab.measure(*part, &mut bench.left_out)?);
                }
            }
        }
        Ok(bench)
    }

    fn show(&self, bench: &Bench) -> anyhow::Result<ExitCode> {
        let page = bench.page();
        let tables = iter::once(&page.glance).chain(&page.tables);
        let tables: Vec<String> = tables
            .map(|it| it.text())
            .filter(|it| !it.is_empty())
            .collect();
        let mut out = io::stdout().lock();
        writeln!(out, "{}", tables.join("\n"))?;
        for note in &bench.left_out {
            writeln!(out, "left out: {note}")?;
        }
        if let Some(file) = &self.json {
            write(file, &serde_json::to_string(bench)?)?;
        }
        if let Some(file) = &self.page {
            write(file, &page.html())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Bench {
    fn swaps(&mut self, sh: &Shell, registry: &Registry) -> anyhow::Result<()> {
        let ways = ways::possible(&mut self.left_out);
        for (app, way) in APPS.iter().flat_map(|app| iter::repeat(app).zip(&ways)) {
            progress(&format!("{}: {}", app.title, way.title))?;
            self.rows.push(row(sh, registry, app, way, self.runs)?);
        }
        Ok(())
    }
}

fn row(sh: &Shell, registry: &Registry, app: &App, way: &Way, runs: u32) -> anyhow::Result<Row> {
    let mut seen = Vec::new();
    for _ in 0..runs {
        let stand = way.stand(sh, registry, app)?;
        stand.first()?;
        let (spans, what) = under_load(stand.address, stand.name(), app.settle, || stand.second())?;
        let (from, to) = spans
            .first()
            .zip(spans.last())
            .context("nothing was deployed")?;
        let took = to.to.duration_since(from.from).unwrap_or_default();
        let numbers = Numbers::of(&what.outcome, u64::try_from(took.as_millis())?);
        seen.push((numbers, Trace::of(&what, &spans)));
    }
    seen.sort_by_key(|it| it.0.failed);
    let typical = seen.get(seen.len() / 2).context("no runs were asked for")?;
    Ok(Row {
        app: app.title.to_owned(),
        way: way.title.to_owned(),
        ours: way.ours,
        trace: typical.1.clone(),
        runs: seen.into_iter().map(|it| it.0).collect(),
    })
}

/// Writes a file with the folders it lies in.
pub(crate) fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

fn progress(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stderr(), "bench: {text}")?)
}
