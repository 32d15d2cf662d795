//! The flags that every step understands, and what else a step's arguments must tell.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser};

use super::handoff::Handoff;
use crate::engine::EngineArgs;

/// Flags of the contract itself.
#[derive(Args, Debug)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Read the previous step's report from FILE (`-` is stdin) and take from it what no flag
    /// gives; a failed report is passed on unchanged, with its own exit code, and nothing is done
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// No progress on stderr; warnings and errors still are
    #[arg(long)]
    pub quiet: bool,
    /// Print the JSON Schema of this step's report and do nothing
    #[arg(long)]
    pub schema: bool,
    /// The app is a service of Docker Swarm, and this machine one of the swarm's managers
    #[arg(long, env = "DEPLOY_STEPS_SWARM", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub swarm: bool,
    /// How to reach the engine.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// A step's arguments.
pub trait StepArgs: Parser {
    /// The flags that every step has.
    fn common(&self) -> &Common;

    /// Takes from the previous step's report what no flag gave.
    fn fill(&mut self, handoff: &Handoff);

    /// Whether it is said what this is about: then the environment has no say.
    fn is_named(&self) -> bool;

    /// What is still missing, as a usage error says it.
    ///
    /// # Errors
    /// A sentence that names the flag.
    fn check(&self) -> Result<(), String>;
}
