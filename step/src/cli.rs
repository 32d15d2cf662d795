//! The flags that every step understands.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::duration;

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

/// How to reach the engine.
#[derive(Args, Debug)]
pub struct EngineArgs {
    /// Ask the engine by this command line tool only, by name or path [default: docker or its socket, else podman]
    #[arg(
        long,
        value_name = "PATH",
        env = "DEPLOY_STEPS_DOCKER",
        hide_env_values = true
    )]
    pub docker: Option<PathBuf>,
    /// Longest time for one call of the engine
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub engine_timeout: Duration,
}
