//! `cargo xtask lint`: formatting, clippy and the documentation, warnings denied.

use std::process::ExitCode;

use xshell::{Shell, cmd};

use crate::{flags, show};

impl flags::Lint {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<ExitCode> {
        let checks = [
            cmd!(sh, "cargo fmt --all --check"),
            cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings"),
            cmd!(sh, "cargo doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"),
        ];
        for check in checks {
            let code = show(check)?;
            if code != 0 {
                return Ok(ExitCode::from(code));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
