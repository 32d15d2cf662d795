//! `cargo xtask stage`: any command with an engine, and the hidden half of it that runs inside.

use std::process::ExitCode;

use tests::stage;

use crate::{code, flags};

impl flags::Stage {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let wanted = self.other.wanted()?;
        let ended = stage::run_on(wanted.as_ref(), &self.command, self.install)?;
        Ok(ExitCode::from(code(ended)))
    }
}

impl flags::StageInner {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let ended = stage::inner(&self.dir, &self.engine_flag, self.cgroup, &self.command)?;
        Ok(ExitCode::from(code(ended)))
    }
}
