//! Pull an image and report exactly what was pulled.

mod args;
mod failure;
#[cfg(test)]
mod properties;
mod pull;
mod refusal;
mod report;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::contract::main::main(pull::run, &[])
}
