//! Start a new container beside the live one.

mod addresses;
mod args;
mod create;
mod failure;
mod followed;
mod half_made;
mod inspection;
mod left_behind;
mod like_live;
mod loopback;
mod own_ports;
mod plan;
#[cfg(test)]
mod properties;
mod report;
mod slot;
mod start;
mod swarm;
mod volumes;

use std::process::ExitCode;

fn main() -> ExitCode {
    step::contract::main::main(start::run, &[])
}
