//! Programs that are run with our own streams, and their exit codes as this program passes them on.

use std::env;
use std::io::{self, Write};
use std::iter;
use std::process::{Command, ExitCode};

use anyhow::Context;
use stage::cargo::untold;
use stage::ground;
use stage::process::code_of;
use xshell::Cmd;

/// An exit code as this program can pass it on.
pub(crate) fn of(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Runs one after the other, each shown before, until one fails; its exit code.
pub(crate) fn of_all<'a>(commands: impl IntoIterator<Item = Cmd<'a>>) -> anyhow::Result<ExitCode> {
    for command in commands {
        writeln!(io::stderr(), "$ {command}")?;
        let name = command.to_string();
        let status = untold(&mut Command::from(command))
            .status()
            .with_context(|| format!("`{name}` could not be started"))?;
        if !status.success() {
            return Ok(of(code_of(status)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs this very program, whatever cargo has put in its place meanwhile, with its own arguments on a private engine.
pub(crate) fn of_us_on_private_engine() -> anyhow::Result<ExitCode> {
    let program = iter::once("/proc/self/exe".into());
    let argv: Vec<_> = program.chain(env::args_os().skip(1)).collect();
    Ok(of(ground::run(&argv, false)?))
}
