//! `cargo xtask stage`: any command with an engine, and the hidden half of it that runs inside.

use std::process::ExitCode;

use tests::stage;

use crate::{code, flags};

impl flags::Stage {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::from(code(stage::run(
            &self.command,
            self.install,
        )?)))
    }
}

impl flags::StageInner {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::from(code(stage::inner(
            &self.dir,
            &self.command,
        )?)))
    }
}
