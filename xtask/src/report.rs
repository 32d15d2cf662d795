//! `cargo xtask report`: collected reports as one page to look at.

mod axis;
mod bars;
mod deployment;
mod failures;
mod picture;
mod read;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::{flags, page};
use read::Collected;

impl flags::Report {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut collected = Collected::default();
        for file in &self.files {
            read(&mut collected, file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
        }
        let deployments = collected.deployments();
        ensure!(
            !deployments.is_empty(),
            "none of {} lines is a report of a step or of a deployment",
            collected.strange
        );
        page::write(&self.page, &picture::page(&deployments, collected.strange))?;
        let mut out = io::stdout().lock();
        write!(out, "{}", tables::glance(&deployments).text())?;
        if collected.strange > 0 {
            writeln!(out, "\nLines that are no report: {}", collected.strange)?;
        }
        writeln!(out, "\nA picture of it: {}", self.page.display())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn read(collected: &mut Collected, file: &Path) -> io::Result<()> {
    if file == Path::new("-") {
        return collected.add(io::stdin().lock());
    }
    collected.add(BufReader::new(File::open(file)?))
}
