//! The three ways to go live. Only here is it known how far an earlier promotion got.

pub(crate) mod alias;
pub(crate) mod port;
pub(crate) mod swarm;
