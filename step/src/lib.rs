//! What every step shares: one entry point, exit codes, the two streams, the engine, health and recipes.

mod address;
mod baton;
mod both;
mod child;
mod cli;
mod codes;
mod docker;
mod entry;
mod health;
mod identity;
mod lock;
mod look;
mod names;
mod nft;
#[cfg(feature = "pages")]
mod pages;
mod probe;
mod probe_args;
#[cfg(test)]
mod properties;
mod publish;
mod recipe;
mod reference;
mod report;
mod signals;
mod streams;
mod target;
mod text;
mod time;
mod wait;
mod waiting;

// The fuzzer's oracle, which the property tests share, knows it by its name.
#[cfg(test)]
extern crate self as step;

pub use address::host_side;
pub use baton::{Baton, Received};
pub use both::both;
pub use cli::{Common, EngineArgs};
pub use codes::{Code, codes_help, help_end};
pub use docker::{
    Attachment, Container, Engine, EngineError, Image, Mount, Node, Reply, Service, ServiceOptions,
    Standing, State, Task, Tenant, Update, familiar, leads_ports, names_option,
};
pub use entry::{Failure, StepArgs, Verdict, main, outcome};
pub use health::{Attempt, Patience, Proof, Unhealthy, await_health, look_once};
pub use identity::{Identity, arguments};
pub use lock::Lock;
pub use names::{Name, Names};
pub use nft::Nft;
pub use probe::{Probe, StatusRange};
pub use probe_args::{ProbeArgs, host, path, url};
pub use publish::Publish;
pub use recipe::{
    APP_LABEL, CANDIDATE_LABEL, Condition, PREVIOUS_LABEL, Previous, RECIPE_LABEL, Recipe,
};
pub use reference::{ImageRef, digest, platform, repository};
pub use report::{Crash, NoEvidence};
pub use signals::{catch_signals, interrupted, no_way_back};
pub use streams::{progress, terminal_stderr, warn};
pub use target::{By, Looking, Target};
pub use text::{printable, redact, secrets_of_options, tail};
pub use time::{duration, millis};
pub use wait::{Wait, seen, waiting};
