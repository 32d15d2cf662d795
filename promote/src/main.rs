//! Put the proven candidate in the live container's place.

mod args;
mod bridge;
mod cgroup;
mod failure;
mod heir;
mod network;
mod preflight;
mod promote;
mod promotion;
mod report;
mod rerun;
mod restart;
mod state;
mod strategy;
mod swap;
mod traffic;

use std::process::ExitCode;

fn main() -> ExitCode {
    bridge::forwarder::requested()
        .or_else(|| heir::requested(promote::run_holding))
        .unwrap_or_else(|| step::contract::main::main(promote::run))
}
