//! Put the proven candidate in the live container's place.

mod alias;
mod already;
mod args;
mod bridge;
mod callers;
mod carrier;
mod clearing;
mod comeback;
mod drain;
mod drift;
mod failure;
mod forwarder;
mod heir;
mod keeper;
mod lanes;
mod led;
mod listing;
mod moving;
mod outside;
mod passage;
mod ports;
mod preflight;
mod promote;
mod proof;
#[cfg(test)]
mod properties;
mod readiness;
mod replacement;
mod report;
mod rollback;
mod ruleset;
mod situation;
mod sockets;
mod stray;
mod swap;
mod swarm;
mod takeover;
mod trouble;
mod watcher;

use std::process::ExitCode;

fn main() -> ExitCode {
    forwarder::requested()
        .or_else(heir::requested)
        .unwrap_or_else(|| step::main(promote::run))
}
