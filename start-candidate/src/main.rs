//! Start a new container beside the live one.

mod args;
mod failure;
mod inspection;
mod place;
mod plan;
#[cfg(test)]
mod properties;
mod start;
mod swarm;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::contract::main::main(start::run)
}
