//! Put the verified candidate in the live container's place.

mod args;
mod bridge;
mod cgroup;
mod environment;
mod failure;
mod heir;
mod log_file;
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

use step::role::Role;

/// What this program is started once more for.
const ROLES: [Role; 2] = [
    bridge::forwarder::ROLE,
    Role {
        name: heir::ROLE,
        run: |args| heir::deed::run(args, promote::run_holding),
    },
];

fn main() -> ExitCode {
    step::contract::main::main(promote::run, &ROLES)
}
