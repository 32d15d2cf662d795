//! The engine: finding its command line tool, and asking it with a deadline.

pub mod address;
pub mod api;
pub mod attachment;
pub mod cli;
pub mod commands;
pub mod complaint;
pub mod config;
pub mod container;
mod context;
pub mod endpoint;
pub mod environment;
pub mod error;
pub mod events;
pub mod folder;
pub mod image;
pub(crate) mod json;
mod leading;
mod lock;
mod logs;
pub mod network;
mod networks;
mod place;
pub mod ports;
mod queries;
pub mod routes;
pub mod summary;
pub mod swarm;
pub mod volume;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use xshell::Shell;

use crate::host::process::{Limits, may_be_entered};
use crate::text::printable;
use crate::time::duration;
use api::http::Socket;
use error::EngineError;

/// The engine, reached through its CLI; `docker` or a compatible one.
#[derive(Clone, Debug)]
pub struct Engine {
    sh: Shell,
    cli: PathBuf,
    /// What it is asked by in the CLI's place, where that is sure to be the same engine.
    socket: Option<Socket>,
    limits: Limits,
}

impl Engine {
    /// Finds the CLI: the one named, else `docker`, else `podman`.
    ///
    /// # Errors
    /// [`EngineError::NoCli`].
    pub fn find(args: &EngineArgs) -> Result<Self, EngineError> {
        let found = match &args.docker {
            Some(named) => which::which(named).map_err(|error| {
                let named = printable(&named.to_string_lossy(), 200);
                EngineError::NoCli(format!("{named}: {error}"))
            }),
            None => which::which("docker")
                .or_else(|_| which::which("podman"))
                .map_err(|_| {
                    EngineError::NoCli("neither docker nor podman is on the PATH".to_owned())
                }),
        };
        // A folder that was removed is none to begin in.
        if env::current_dir().is_err() {
            let _ = env::set_current_dir("/");
        }
        let sh = Shell::new().map_err(|error| EngineError::NoCli(error.to_string()))?;
        if !may_be_entered(".") {
            sh.change_dir("/");
        }
        let cli = found?;
        // A program that was named is meant, and no way around it.
        let unnamed = args.docker.is_none();
        let socket = unnamed.then(|| Socket::of(&cli, matches!(context::chosen(), Ok(None))));
        Ok(Self {
            sh,
            cli,
            socket: socket.flatten(),
            limits: Limits::within(args.engine_timeout),
        })
    }

    /// What each of its calls is given.
    pub fn limits(&self) -> Limits {
        self.limits.clone()
    }
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
