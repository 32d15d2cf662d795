//! What was made is tried before anybody is given it: the package installed, the programs alone in an empty root.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use stage::cargo::{self, STEPS};
use xshell::{Shell, cmd};

use super::place::Place;

pub(crate) fn all(sh: &Shell, place: &Place, tree: &Path, files: &[PathBuf]) -> anyhow::Result<()> {
    let package = files.last().context("no package was made")?;
    the_package_holds_the_tree(sh, package, tree)?;
    let architecture = |target: &str| target.split('-').next().map(str::to_owned);
    if architecture(&place.target) != architecture(&cargo::host_triple()?) {
        return Ok(());
    }
    let installed = tempfile::tempdir()?;
    let root = installed.path();
    install(sh, package, root)?;
    for step in STEPS {
        in_an_empty_root(sh, &root.join("usr/bin").join(step))?;
    }
    Ok(())
}

/// Each file of the tree is below /usr in the package, and nothing else is.
fn the_package_holds_the_tree(sh: &Shell, package: &Path, tree: &Path) -> anyhow::Result<()> {
    let unpacked = tempfile::tempdir()?;
    let root = unpacked.path();
    cmd!(sh, "dpkg-deb --extract {package} {root}")
        .quiet()
        .run()?;
    let mut expected = BTreeSet::new();
    for name in below(sh, tree)? {
        // Debian's zsh looks for what packages bring in a folder of their own.
        let moved = name.replace("zsh/site-functions", "zsh/vendor-completions");
        expected.insert(format!("usr/{moved}"));
    }
    expected.insert("usr/share/doc/deploy-steps/copyright".to_owned());
    let plain = |name: &String| name.trim_end_matches(".gz").to_owned();
    let found: BTreeSet<_> = below(sh, root)?.iter().map(plain).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let more: Vec<_> = found.difference(&expected).collect();
    ensure!(
        missing.is_empty() && more.is_empty(),
        "the package lacks {missing:?} and has {more:?} besides"
    );
    Ok(())
}

fn below(sh: &Shell, folder: &Path) -> anyhow::Result<Vec<String>> {
    let list = cmd!(sh, "find {folder} -type f -printf %P\\n")
        .quiet()
        .read()?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// dpkg itself installs it, in a root with nothing but an empty list of packages.
fn install(sh: &Shell, package: &Path, root: &Path) -> anyhow::Result<()> {
    for folder in ["info", "updates"] {
        fs::create_dir_all(root.join("var/lib/dpkg").join(folder))?;
    }
    fs::write(root.join("var/lib/dpkg/status"), "")?;
    let log = root.join("dpkg.log");
    cmd!(
        sh,
        "dpkg --root={root} --log={log} --force-not-root --force-script-chrootless --install {package}"
    )
    .quiet()
    .ignore_stdout()
    .run()?;
    let locks = root.join("run/deploy-steps");
    ensure!(locks.is_dir(), "the package made no folder of locks");
    Ok(())
}

/// A program says its version where there is nothing but itself: no libc, no loader, no /etc.
fn in_an_empty_root(sh: &Shell, program: &Path) -> anyhow::Result<()> {
    let name = program.file_name().context("a program without a name")?;
    let root = tempfile::tempdir()?;
    let path = root.path();
    fs::copy(program, path.join(name))?;
    let inside = Path::new("/").join(name);
    let said = cmd!(
        sh,
        "unshare --user --map-root-user --root {path} {inside} --version"
    )
    .quiet()
    .read()?;
    let version = env!("CARGO_PKG_VERSION");
    ensure!(said.ends_with(version), "{inside:?} said {said:?} alone");
    Ok(())
}
