//! `cargo xtask lint`: formatting, clippy and the documentation, warnings denied.

use std::process::ExitCode;

use xshell::{Shell, cmd};

use crate::{exit, flags};

impl flags::Lint {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<ExitCode> {
        exit::of_all([
            cmd!(sh, "cargo fmt --all --check"),
            cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings"),
            cmd!(sh, "cargo doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"),
        ])
    }
}
