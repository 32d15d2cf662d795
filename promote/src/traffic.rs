//! What clients do, by pids and ports: requests in flight, and what the host port answers.

pub(crate) mod connections;
pub(crate) mod datagrams;
mod diag;
pub(crate) mod drain;
pub(crate) mod monitor;
pub(crate) mod watched;
