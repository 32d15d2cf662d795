//! Put the proven candidate in the live container's place.

mod args;
mod drain;
mod failure;
mod ports;
mod preflight;
mod promote;
mod proof;
mod replacement;
mod rollback;
mod situation;
mod sockets;
mod swap;
mod trouble;
mod watcher;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::main(promote::run)
}
