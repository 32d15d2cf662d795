//! Everything one does with this workspace: `cargo xtask --help`.

mod bench;
mod demo;
mod deploy;
mod dist;
mod doctor;
mod flags;
mod interrupt;
mod lines;
mod lint;
mod numbers;
mod page;
mod pipeline;
mod report;
mod stage;
mod swap;
mod table;
mod test;

use std::io::{self, Write};
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Parser;
use xshell::{Cmd, Shell};

use flags::{Task, Xtask};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let sh = Shell::new()?;
    match Xtask::parse().task {
        Task::Deploy(task) => task.run(&sh),
        Task::Rollback(task) => task.run(&sh),
        Task::Demo(task) => task.run(&sh),
        Task::Bench(task) => task.run(&sh),
        Task::Report(task) => task.run(),
        Task::Lint(task) => task.run(&sh),
        Task::Test(task) => task.run(&sh),
        Task::Dist(task) => task.run(&sh),
        Task::Doctor(task) => task.run(&sh),
        Task::Stage(task) => task.run(),
        Task::StageInner(task) => task.run(),
    }
}

/// Shows a command, runs it with our own streams and returns its exit code.
fn show(cmd: Cmd<'_>) -> anyhow::Result<u8> {
    writeln!(io::stderr(), "$ {cmd}")?;
    let name = cmd.to_string();
    let status = Command::from(cmd)
        .status()
        .with_context(|| format!("`{name}` could not be started"))?;
    Ok(code(tests::process::code_of(status)))
}

/// An exit code as this program can pass it on.
fn code(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(1)
}
