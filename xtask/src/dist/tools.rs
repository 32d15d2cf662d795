//! The cargo subcommands that make packages, licence lists and bills of materials.

use std::path::PathBuf;

use anyhow::ensure;
use stage::cargo;
use xshell::{Shell, cmd};

/// Name, version and features: these versions and no others, so that what they write stays the same.
const TOOLS: [(&str, &str, &[&str]); 3] = [
    ("cargo-deb", "3.8.0", &[]),
    ("cargo-about", "0.9.3", &["--features=cli"]),
    ("cargo-cyclonedx", "0.5.9", &[]),
];

/// The folder that they are in, below the target folder; with `install` they are built when missing.
pub(crate) fn provide(sh: &Shell, install: bool) -> anyhow::Result<PathBuf> {
    let target = cargo::target_dir()?;
    let folder = target.join("tools");
    for (tool, version, features) in TOOLS {
        let there = folder.join(format!("{tool}-{version}"));
        if there.is_dir() {
            continue;
        }
        ensure!(
            install,
            "{tool} {version} is missing: cargo xtask dist --install builds it below {}",
            folder.display()
        );
        let build = target.join("tools-build");
        cmd!(
            sh,
            "cargo install --locked --quiet --root {folder} --target-dir {build} {features...} {tool}@{version}"
        )
        .run()?;
        std::fs::create_dir_all(there)?;
    }
    Ok(folder)
}
