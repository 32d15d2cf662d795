//! Logs of containers.

use std::fs::File;

use xshell::cmd;

use super::Engine;
use super::cli::Reply;
use super::error::EngineError;
use crate::text::secrets::Secrets;

impl Engine {
    /// The last `count` lines of a container's log, both streams; empty where the log driver keeps none.
    pub fn log_tail(&self, id: &str, count: usize, secrets: &Secrets) -> Vec<String> {
        let Self { sh, cli, .. } = self;
        match self.logged(id, count) {
            Ok(Some(log)) => return secrets.tail(&log, count),
            Ok(None) => {}
            Err(_) => return Vec::new(),
        }
        let lines = count.to_string();
        let reply = self.call(cmd!(sh, "{cli} logs --tail {lines} {id}").into());
        tail(reply, count, secrets)
    }

    /// Writes a container's whole log to a file, both streams in their order, each line with its time. What the CLI
    /// complains of is there as well.
    ///
    /// # Errors
    /// When it was not written to its end.
    pub fn log_into(&self, file: &File, id: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call_into(file, cmd!(sh, "{cli} logs --timestamps {id}").into())
    }
}

/// The last lines of a log that a call has written, both streams; none where it failed.
pub(super) fn tail(
    reply: Result<Reply, EngineError>,
    count: usize,
    secrets: &Secrets,
) -> Vec<String> {
    match reply.and_then(Reply::success) {
        Ok(Reply { stdout, stderr, .. }) => secrets.tail(&format!("{stdout}\n{stderr}"), count),
        Err(_) => Vec::new(),
    }
}
