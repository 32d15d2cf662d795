//! `cargo xtask dist`: what one installs on a VM, as a Debian package and as a tarball, the same bytes each time.

mod bom;
mod check;
mod pack;
mod place;
mod programs;
mod tools;
mod tree;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use stage::cargo::{self, STEPS};
use xshell::{Shell, cmd};

use crate::flags;
use place::Place;

impl flags::Dist {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<ExitCode> {
        sh.change_dir(cargo::workspace());
        if let Some(folder) = self.draft {
            tree::lay_out(sh, cargo::workspace(), &folder, cargo::steps()?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let target = self
            .target
            .map_or_else(|| programs::target(sh, self.install), Ok)?;
        let here = Place::here(target)?;
        if self.programs {
            let folder = programs::build(sh, &here)?;
            writeln!(io::stdout(), "{}", folder.display())?;
            return Ok(ExitCode::SUCCESS);
        }
        let tools = tools::provide(sh, self.install)?;
        let files = make(sh, &tools, &here)?;
        if self.twice {
            again(sh, &tools, &here)?;
        }
        tell(&here, &files)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The folder of the five programs as they are distributed.
pub(crate) fn programs(sh: &Shell) -> anyhow::Result<PathBuf> {
    let _root = sh.push_dir(cargo::workspace());
    programs::build(sh, &Place::here(programs::target(sh, false)?)?)
}

/// Makes all of it; the files that are given to people.
fn make(sh: &Shell, tools: &Path, place: &Place) -> anyhow::Result<Vec<PathBuf>> {
    let _dir = sh.push_dir(&place.root);
    // All times in the packages are the last commit's, so that two builds are the same.
    let epoch = cmd!(sh, "git log -1 --format=%ct").read()?;
    let _epoch = sh.push_env("SOURCE_DATE_EPOCH", &epoch);
    let programs = programs::build(sh, place)?;
    let _ = fs::remove_dir_all(place.out());
    let tree = place.out().join("tree");
    tree::lay_out(sh, &place.root, &tree, &programs)?;
    let made = pack::Packer {
        sh,
        tools,
        place,
        tree: &tree,
    };
    made.tell_of_dependencies()?;
    let files = vec![made.tarball(&epoch)?, made.package()?];
    made.sum(&files)?;
    check::all(sh, place, &tree, &files)?;
    Ok(files)
}

fn tell(place: &Place, files: &[PathBuf]) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let programs = STEPS.map(|step| place.out().join("tree/bin").join(step));
    for file in programs.iter().chain(files) {
        let size = fs::metadata(file)?.len();
        writeln!(out, "{size:>9}  {}", file.display())?;
    }
    Ok(())
}

/// The same made of a clone in another folder must be the same.
fn again(sh: &Shell, tools: &Path, first: &Place) -> anyhow::Result<()> {
    let changed = cmd!(sh, "git status --porcelain").read()?;
    ensure!(
        changed.is_empty(),
        "what is made twice is the last commit, and here is more than that:\n{changed}"
    );
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("another");
    let from = &first.root;
    cmd!(sh, "git clone --quiet {from} {root}").run()?;
    let second = Place {
        builds: root.join("target"),
        target: first.target.clone(),
        root,
    };
    make(sh, tools, &second)?;
    let sums = |place: &Place| fs::read_to_string(place.out().join("SHA256SUMS"));
    let (one, other) = (sums(first)?, sums(&second)?);
    ensure!(
        one == other,
        "two builds differ:\n{one}and in another folder\n{other}"
    );
    writeln!(io::stdout(), "made twice, in two folders: the same bytes")?;
    Ok(())
}
