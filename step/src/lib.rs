//! What every step shares. No name is exported twice: `use step::engine::Engine` says where it lives.
//!
//! From the top down, and each only uses what is below it: `contract` is what a step promises to its callers;
//! `health` tells whether an app is healthy; `ownership` whose a container is, by its labels; `recipe` is what one is
//! made of; `engine` is the only way to the container engine; `host` is this machine, and `terminal` the person at it;
//! `model` has the values with a grammar. `exit_code`, `text`, `time`, `join`, `role` and `signals` belong to no floor.

pub mod contract;
pub mod engine;
pub mod exit_code;
pub mod health;
pub mod host;
pub mod join;
pub mod model;
pub mod ownership;
#[cfg(test)]
mod properties;
pub mod recipe;
pub mod role;
pub mod signals;
pub mod terminal;
pub mod text;
pub mod time;

/// The words of a line, for the tests of what takes words.
#[cfg(test)]
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

// The fuzzer's oracle, which the property tests share, knows it by its name.
#[cfg(test)]
extern crate self as step;
