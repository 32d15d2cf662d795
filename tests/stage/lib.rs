//! The stage of the end-to-end tests: a real engine, a registry, a demo application and a load meter.

pub mod actionlint;
pub mod apt;
pub mod cargo;
pub mod clients;
pub mod docker;
pub mod effort;
pub mod fault;
pub mod ground;
pub mod hostile;
pub mod image;
pub mod load;
pub mod marks;
pub mod power;
pub mod process;
pub mod registry;
pub mod relay;
pub mod skipped;
pub mod steps;
pub mod swarm;
pub mod unpacked;
