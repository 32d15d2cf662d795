//! What every step promises: its arguments, what it hands on, its report, its exit code.

pub mod args;
pub mod failure;
pub mod handoff;
pub mod identity;
pub mod main;
#[cfg(feature = "pages")]
mod manual;
mod report;
