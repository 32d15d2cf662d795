//! Everything one does with this workspace: `cargo xtask --help`.

mod bench;
mod demo;
mod deploy;
mod dist;
mod doctor;
mod exit;
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
use std::process::ExitCode;

use clap::Parser;
use xshell::Shell;

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
