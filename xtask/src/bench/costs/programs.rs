//! How large the steps are and how fast they start, beside a program that does nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use stage::cargo::STEPS;
use xshell::cmd;

use crate::bench::lab::{Lab, median};
use crate::dist;
use crate::table::{Table, texts};

/// How often each is started.
const STARTS: usize = 200;

pub(super) fn measure(lab: &Lab<'_>) -> anyhow::Result<Table> {
    let folder = tempfile::tempdir()?;
    let steps = dist::programs(lab.sh)?;
    let mut programs: Vec<PathBuf> = vec![nothing(lab, folder.path())?];
    programs.extend(STEPS.map(|step| steps.join(step)));
    let mut times = vec![Vec::new(); programs.len()];
    for _ in 0..STARTS {
        for (program, times) in programs.iter().zip(&mut times) {
            times.push(start(program)?);
        }
    }
    let least = median(&times[0]);
    let mut rows = Vec::new();
    for (program, times) in programs.iter().zip(&times) {
        let (bytes, median) = (fs::metadata(program)?.len(), median(times));
        rows.push(vec![
            program
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            format!("{:.2}", bytes as f64 / 1e6),
            format!("{median:.2}"),
            format!("{:.2}", median / least),
        ]);
    }
    Ok(Table {
        caption: format!(
            "The programs, statically linked; started {STARTS} times in turn with --version"
        ),
        left: 1,
        head: texts(["program", "MB", "start to end, ms", "of nothing"]),
        rows,
    })
}

/// A static program of Rust that does nothing, for the machine's usual C library.
fn nothing(lab: &Lab<'_>, folder: &Path) -> anyhow::Result<PathBuf> {
    let (source, program) = (folder.join("nothing.rs"), folder.join("nothing"));
    fs::write(&source, "fn main() {}\n")?;
    let sh = lab.sh;
    cmd!(
        sh,
        "rustc -O -C target-feature=+crt-static -C strip=symbols -o {program} {source}"
    )
    .run()?;
    Ok(program)
}

fn start(program: &Path) -> anyhow::Result<Duration> {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let began = Instant::now();
    let ended = command.status()?;
    let took = began.elapsed();
    ensure!(ended.success(), "{} failed", program.display());
    Ok(took)
}
