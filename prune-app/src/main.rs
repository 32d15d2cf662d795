//! Remove an app's old images and its failed candidate.

mod args;
mod bridge;
mod failure;
mod images;
mod inventory;
#[cfg(test)]
mod properties;
mod prune;
mod report;
mod swarm;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::contract::main::main(prune::run, &[])
}
