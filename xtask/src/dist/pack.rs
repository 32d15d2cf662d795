//! The tarball, the Debian package, their checksums, and what they say of their dependencies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use super::bom;
use super::place::Place;

/// Makes one distribution of the files in a tree.
pub(crate) struct Packer<'a> {
    pub(crate) sh: &'a Shell,
    pub(crate) tools: &'a Path,
    pub(crate) place: &'a Place,
    pub(crate) tree: &'a Path,
}

impl Packer<'_> {
    /// The licences of all that is linked in, and the bills of materials.
    pub(crate) fn tell_of_dependencies(&self) -> anyhow::Result<()> {
        let Self { sh, tools, .. } = self;
        let target = &self.place.target;
        let folder = self.tree.join("share/doc/deploy-steps");
        let about = tools.join("bin/cargo-about");
        let licences = folder.join("THIRD-PARTY-LICENSES.txt");
        // promote is linked with all that the others are.
        cmd!(
            sh,
            "{about} about generate --locked --manifest-path promote/Cargo.toml --target {target} --config xtask/dist/about.toml --output-file {licences} xtask/dist/about.hbs"
        )
        .quiet()
        .run()?;
        let bom = tools.join("bin/cargo-cyclonedx");
        cmd!(
            sh,
            "{bom} cyclonedx --format json --spec-version 1.5 --target {target} --override-filename bom"
        )
        .quiet()
        .run()?;
        bom::take(sh, self.place, &folder.join("sbom"))
    }

    pub(crate) fn tarball(&self, epoch: &str) -> anyhow::Result<PathBuf> {
        let target = &self.place.target;
        let arch = target.split('-').next().unwrap_or(target);
        let name = format!("deploy-steps-{}-{arch}-linux", env!("CARGO_PKG_VERSION"));
        let file = self.place.out().join(format!("{name}.tar.gz"));
        let into = format!("s,^\\.,{name},");
        let (time, tree) = (format!("@{epoch}"), self.tree);
        let tar = cmd!(
            self.sh,
            "tar --create --sort=name --format=gnu --mtime={time} --owner=0 --group=0 --numeric-owner --transform={into} --directory={tree} ."
        );
        let packed = cmd!(self.sh, "gzip --no-name --best").stdin(tar.output()?.stdout);
        fs::write(&file, packed.output()?.stdout)?;
        Ok(file)
    }

    pub(crate) fn package(&self) -> anyhow::Result<PathBuf> {
        let Self { sh, tools, .. } = self;
        let (target, out) = (&self.place.target, self.place.out());
        let deb = tools.join("bin/cargo-deb");
        let said = cmd!(
            sh,
            "{deb} --package xtask --no-build --no-strip --target {target} --output {out}"
        )
        .env("CARGO_TARGET_DIR", &self.place.builds)
        .read()?;
        let file = said
            .lines()
            .next_back()
            .context("cargo-deb names no file")?;
        ensure!(Path::new(file).is_file(), "cargo-deb made no {file}");
        Ok(PathBuf::from(file))
    }

    pub(crate) fn sum(&self, files: &[PathBuf]) -> anyhow::Result<()> {
        let _dir = self.sh.push_dir(self.place.out());
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
        let sums = cmd!(self.sh, "sha256sum {names...}").read()?;
        fs::write(self.place.out().join("SHA256SUMS"), sums + "\n")?;
        Ok(())
    }
}
