//! The end-to-end tests, by topic; run them with `cargo xtask test`, which brings the engine.

mod bridge;
mod stage;
mod support;
