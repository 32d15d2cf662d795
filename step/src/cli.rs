//! The flags that every step understands.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::{Baton, Name, Names, duration};

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

/// Which app a step works on.
#[derive(Args, Clone, Debug)]
pub struct Identity {
    /// The app, as in its images' label app=APP
    #[arg(long, value_name = "APP", env = "APP_NAME", hide_env_values = true)]
    pub app: Option<Name>,
    /// The live container's name [default: the app]; the candidate is NAME-new, the one being replaced NAME-old
    #[arg(
        long,
        value_name = "NAME",
        env = "CONTAINER_NAME",
        hide_env_values = true
    )]
    pub container: Option<Name>,
}

impl Identity {
    /// Takes from the previous report what was not given.
    pub fn fill(&mut self, baton: &Baton) {
        self.app = self.app.take().or_else(|| baton.app.clone());
        self.container = self.container.take().or_else(|| baton.container.clone());
    }

    /// The live container's name: the one given, else the app's.
    pub fn live(&self) -> Option<&Name> {
        self.container.as_ref().or(self.app.as_ref())
    }

    /// App and container names.
    ///
    /// # Errors
    /// What is missing, as a usage error says it.
    pub fn known(&self) -> Result<(&Name, &Name, Names), String> {
        let app = self
            .app
            .as_ref()
            .ok_or("--app APP is needed (or APP_NAME, or --from)")?;
        let live = self.container.as_ref().unwrap_or(app);
        Ok((app, live, Names::of(live)))
    }
}
