//! Start a new container beside the live one.

mod args;
mod failure;
mod inspection;
mod plan;
mod start;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::main(start::run)
}
