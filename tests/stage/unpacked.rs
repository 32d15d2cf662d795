//! Programs that are only tried beside the steps: unpacked from their packages into the target folder, not installed.
//!
//! Installing a web server's package would start it, on port 80 of a machine that has other plans for it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::{apt, cargo, ground, process};
use anyhow::{Context, ensure};

const LIMIT: Duration = Duration::from_secs(300);

/// Unpacks those of `programs` that are missing; each package has the name of its program.
///
/// # Errors
/// When apt-get cannot fetch them, as where there is no network.
pub fn provide(programs: &[&str]) -> anyhow::Result<()> {
    let missing = programs.iter().copied().filter(|it| find(it).is_none());
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = folder().join("packages");
    fs::create_dir_all(packages.join("partial"))?;
    let archives = format!("Dir::Cache::archives={}", packages.display());
    let download = ["install", "--no-install-recommends", "--download-only"];
    let quietly = ["-qq", "-o", &archives];
    apt::get(&[&download, &quietly[..], &missing].concat())?;
    for entry in fs::read_dir(&packages)? {
        let package = entry?.path();
        if package.extension().is_some_and(|it| it == "deb") {
            done(
                Command::new("dpkg-deb")
                    .arg("-x")
                    .arg(package)
                    .arg(folder()),
            )?;
        }
    }
    Ok(())
}

/// The command of a program that is installed or was unpacked.
pub fn command(program: &str) -> Option<Command> {
    let (path, unpacked) = find(program)?;
    let mut command = Command::new(path);
    if unpacked {
        let libraries = folder()
            .join("usr/lib")
            .join(format!("{}-linux-gnu", std::env::consts::ARCH));
        command.env("LD_LIBRARY_PATH", libraries);
    }
    Some(command)
}

fn find(program: &str) -> Option<(PathBuf, bool)> {
    let unpacked = ["usr/sbin", "usr/bin"].map(|it| folder().join(it).join(program));
    let mut unpacked = unpacked.into_iter().filter(|it| it.is_file());
    let installed = ground::find(program).map(|path| (path, false));
    installed.or_else(|| unpacked.next().map(|path| (path, true)))
}

fn folder() -> PathBuf {
    cargo::target_dir().unwrap_or_default().join("bench")
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let run = process::run_within(command, None, LIMIT)
        .context("only Debian's packages are known here")?;
    ensure!(run.code == 0, "unpacking failed: {}", run.stderr.trim());
    Ok(())
}
