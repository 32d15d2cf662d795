//! `cargo xtask stage`: any command with an engine, and the hidden half of it that runs inside.

use std::process::ExitCode;

use stage::ground;

use crate::{exit, flags};

impl flags::Stage {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let wanted = self.other.wanted()?;
        let ended = ground::run_on(wanted.as_ref(), &self.command, self.install)?;
        Ok(exit::of(ended))
    }
}

impl flags::StageInner {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let ended = ground::inner(&self.dir, &self.engine_flag, self.cgroup, &self.command)?;
        Ok(exit::of(ended))
    }
}
