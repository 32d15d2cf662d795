//! What a distribution is made of, and where.

use std::path::PathBuf;

use stage::cargo;

/// The workspace it is made of, the folder of its builds, and what it is built for.
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) builds: PathBuf,
    pub(super) target: String,
}

impl Place {
    pub(super) fn here(target: String) -> anyhow::Result<Self> {
        Ok(Self {
            root: cargo::workspace().to_owned(),
            builds: cargo::target_dir()?,
            target,
        })
    }

    pub(super) fn out(&self) -> PathBuf {
        self.root.join("target/dist")
    }
}
