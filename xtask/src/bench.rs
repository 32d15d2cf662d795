//! `cargo xtask bench`: the same apps under the same load, replaced in different ways, side by side.

mod app;
mod costs;
mod floor;
mod fronts;
mod lab;
mod peers;
mod proxy;
mod report;
mod result;
mod socket;
mod stand;
mod ways;
mod wrk;

use std::fs;
use std::io::{self, Write};
use std::iter;
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use stage::cargo;
use stage::ground::{self, Ground, Need};
use stage::registry::Registry;
use stage::unpacked;
use xshell::Shell;

use crate::exit;
use crate::flags::{self, Part};
use crate::numbers::Numbers;
use crate::page::{self, Trace};
use crate::swap::{under_load, whole};
use app::{APPS, App};
use lab::Lab;
use result::{Bench, Row};
use stand::Stand;
use ways::Way;

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
        let ground = ground::prepare_with(self.install, also, None)?;
        if !ground::inside() {
            progress("building the steps and the demo app")?;
            if self.install {
                unpacked::provide(&PROGRAMS)?;
            }
        }
        cargo::released_steps()?;
        cargo::demo_app()?;
        if ground == Ground::Private {
            progress("no engine answers, so a private one is started; it ends with the bench")?;
            return exit::of_us_on_private_engine();
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
                Part::Swaps => bench.swaps(&lab)?,
                Part::Proxies => {
                    progress("what a proxy in front costs")?;
                    bench.fronts = fronts::measure(&mut bench.left_out)?;
                }
                part => {
                    progress(&format!("{part:?}").to_lowercase())?;
                    let table = costs::measure(&lab, *part, &mut bench.left_out)?;
                    bench.costs.extend(table);
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
            page::write(file, &serde_json::to_string(bench)?)?;
        }
        if let Some(file) = &self.page {
            page::write(file, &page.html())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Bench {
    fn swaps(&mut self, lab: &Lab<'_>) -> anyhow::Result<()> {
        let ways = ways::possible(&mut self.left_out);
        for (app, way) in APPS.iter().flat_map(|app| iter::repeat(app).zip(&ways)) {
            progress(&format!("{}: {}", app.title, way.title))?;
            self.rows.push(row(lab, app, way, self.runs)?);
        }
        Ok(())
    }
}

fn row(lab: &Lab<'_>, app: &App, way: &Way, runs: u32) -> anyhow::Result<Row> {
    let mut seen = Vec::new();
    for _ in 0..runs {
        let stand = Stand::of(lab, app)?;
        way.first(&stand)?;
        let second = || way.second(&stand);
        let (spans, what) = under_load(stand.address, stand.name(), app.settle, second)?;
        let took = u64::try_from(whole(&spans)?.as_millis())?;
        let numbers = Numbers::of(&what.outcome, took);
        seen.push((numbers, Trace::of(&what, &spans)));
    }
    seen.sort_by_key(|it| it.0.failed);
    let typical = seen.get(seen.len() / 2).context("no runs were asked for")?;
    Ok(Row {
        app: app.title.to_owned(),
        way: way.title.to_owned(),
        trace: typical.1.clone(),
        runs: seen.into_iter().map(|it| it.0).collect(),
    })
}

fn progress(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stderr(), "bench: {text}")?)
}
