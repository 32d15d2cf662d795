//! Wait until a container answers healthily, or say why it does not.

mod args;
mod failure;
mod probe;
mod report;
mod swarm;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::contract::main::main(probe::run, &[])
}
