//! The end-to-end tests, by topic; run them with `cargo xtask test`, which brings the engine.
#![cfg(test)]

mod apt;
mod bridge;
mod calls;
mod clock;
mod contract;
mod crowd;
mod dist;
mod docs;
mod engines;
mod heir;
mod hostile;
mod machine;
mod matrix;
mod newest;
mod page;
mod pipeline;
mod power;
mod privileges;
mod probe;
mod promote;
mod proxy;
mod prune;
mod pull;
mod repository;
mod resume;
mod runs;
mod small_engine;
mod ssh;
mod stage;
mod start;
mod support;
mod swarm;
mod terminal;
mod vm;
mod workflows;
