//! Learning at once that a container ended, from the engine's event stream.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xshell::cmd;

use super::call::end_group;
use super::{Engine, EngineError};

/// Watches one container until dropped.
#[derive(Debug)]
pub struct Death {
    child: Child,
}

impl Engine {
    /// Calls `on_end` once per line of the event stream, that is each time the container's main
    /// process ends (docker says `die`, podman `died`), from `since` before now on. When the
    /// stream ends by itself nothing more is called.
    ///
    /// # Errors
    /// When the CLI cannot be run.
    pub fn on_death(
        &self,
        id: &str,
        since: Duration,
        on_end: impl Fn() + Send + 'static,
    ) -> Result<Death, EngineError> {
        let Self { sh, cli, .. } = self;
        let since = crate::ago_unix(since);
        let mut command: Command = cmd!(
            sh,
            "{cli} events --since {since} --filter container={id} --filter event=die --filter event=died --format '{{json .}}'"
        )
        .into();
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| EngineError::NoCli(format!("{}: {error}", cli.display())))?;
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                BufReader::new(stdout)
                    .lines()
                    .map_while(Result::ok)
                    .for_each(|_| on_end())
            });
        }
        Ok(Death { child })
    }
}

impl Drop for Death {
    fn drop(&mut self) {
        end_group(&mut self.child);
    }
}
