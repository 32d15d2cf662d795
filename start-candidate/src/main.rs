//! Start a new container beside the live one.

mod args;
mod failure;
mod inspection;
mod plan;
#[cfg(test)]
mod properties;
mod report;
mod slot;
mod start;
mod swarm;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::contract::main::main(start::run, &[])
}
