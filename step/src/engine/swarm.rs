//! What Docker Swarm says of services, tasks and nodes, and the commands for services: each one call of the CLI.

pub mod options;
pub mod service;
pub mod task;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use xshell::cmd;

use super::Engine;
use super::cli::Reply;
use super::environment::Environment;
use super::error::EngineError;
use super::folder::in_folder;
use super::json::nullable;
use super::logs::tail;
use crate::host::process::How;
use crate::text::printable;
use crate::text::secrets::Secrets;
use service::Service;
use task::Task;

/// Whether this kernel has IPVS, by which Swarm hands a published port to the tasks.
pub fn has_ipvs() -> bool {
    if Path::new("/proc/net/ip_vs").exists() {
        return true;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = Path::new("/lib/modules").join(release.trim());
    let lists = ["modules.dep", "modules.builtin"].map(|list| modules.join(list));
    let listed = |list: &PathBuf| std::fs::read_to_string(list).ok();
    let all: Vec<String> = lists.iter().filter_map(listed).collect();
    // Without any list of modules there are none to be loaded.
    all.iter().any(|list| list.contains("/ip_vs.ko"))
}

/// A node, by `docker node ls`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Node {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub hostname: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    #[serde(deserialize_with = "nullable")]
    swarm: Membership,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Membership {
    local_node_state: String,
    #[serde(rename = "NodeID")]
    node: String,
    control_available: bool,
    error: String,
}

impl Engine {
    /// Asks whether this engine manages a swarm, and as which node; only then the other queries have answers.
    ///
    /// # Errors
    /// [`EngineError::NoManager`], or when the engine cannot be asked.
    pub fn manager(&self) -> Result<String, EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} info --format '{{json .}}'").into())?;
        let reply = reply.success()?;
        let Info { swarm } = reply.read(&reply.stdout)?;
        if swarm.control_available && swarm.error.is_empty() {
            return Ok(swarm.node);
        }
        Err(EngineError::NoManager(
            match swarm.local_node_state.as_str() {
                "active" if swarm.error.is_empty() => "it is a worker".to_owned(),
                "active" | "error" => printable(&swarm.error, 300),
                _ => "it is in no swarm".to_owned(),
            },
        ))
    }

    /// A service, by exact name or id.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn service(&self, name: &str) -> Result<Option<Service>, EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} service inspect {name}").into())?;
        let missing = reply.stderr.to_lowercase().contains("no such service");
        if reply.code != Some(0) && !missing {
            return Err(reply.failure());
        }
        let found: Vec<Service> = reply.read(&reply.stdout)?;
        let asked = |it: &Service| it.name() == name || it.id == name;
        Ok(found.into_iter().find(asked))
    }

    /// The tasks of a service, those that have ended included, the newest first.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn tasks(&self, service: &Service) -> Result<Vec<Task>, EngineError> {
        let Self { sh, cli, .. } = self;
        let id = &service.id;
        let ids = self.lines(cmd!(sh, "{cli} service ps --quiet --no-trunc {id}").into())?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<Task> =
            self.inspect(cmd!(sh, "{cli} inspect --type task {ids...}").into())?;
        found.retain(|task| task.is_of(service));
        found.sort_by(|a, b| b.created.cmp(&a.created));
        Ok(found)
    }

    /// All nodes.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn nodes(&self) -> Result<Vec<Node>, EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} node ls --format '{{json .}}'").into())?;
        let reply = reply.success()?;
        let lines = reply.stdout.lines().filter(|line| !line.is_empty());
        lines.map(|line| reply.read(line)).collect()
    }

    /// Creates a service, with paths in `words` meant in `folder` and values in `environment`, and does not wait for its tasks; a refusal is
    /// a [`Reply`].
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline, or the folder is gone and needed.
    pub fn create_service(
        &self,
        words: &[String],
        environment: &Environment,
        folder: &str,
    ) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let command = cmd!(
            sh,
            "{cli} service create --detach --with-registry-auth {words...}"
        );
        let mut command = in_folder(command.into(), words, folder)?;
        environment.give(&mut command);
        self.call(command)
    }

    /// Changes a service and does not wait for its tasks; a refusal is a [`Reply`].
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline.
    pub fn update_service(&self, id: &str, words: &[String]) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let mut environment = Environment::default();
        let words = environment.take(words);
        let command = cmd!(
            sh,
            "{cli} service update --detach --with-registry-auth {words...} {id}"
        );
        let mut command = command.into();
        environment.give(&mut command);
        self.call(command)
    }

    /// Has a service go back to its specification before, and does not wait for its tasks.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn roll_back_service(&self, id: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.done(cmd!(sh, "{cli} service rollback --detach {id}"))
    }

    /// Removes a service; one that is gone is no error.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn remove_service(&self, id: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} service rm {id}").into())?;
        if reply.stderr.to_lowercase().contains("no such service")
            || reply.stderr.contains("not found")
        {
            return Ok(());
        }
        reply.success().map(drop)
    }

    /// What a task has written, on whatever node it ran: the last `count` lines, both streams; none where they cannot
    /// be had, as from a node that is down.
    pub fn task_log(&self, task: &str, count: usize, secrets: &Secrets) -> Vec<String> {
        // It waits for nodes that do not answer.
        const PATIENCE: Duration = Duration::from_secs(10);
        let Self { sh, cli, .. } = self;
        let lines = count.to_string();
        let command = cmd!(sh, "{cli} service logs --raw --tail {lines} {task}");
        tail(
            self.call_as(command.into(), &How::within(PATIENCE)),
            count,
            secrets,
        )
    }

    /// Runs a program of this machine in a container on a network of the swarm, and removes it; `input` is what it
    /// reads, which stands nowhere else. Its exit code and what it said are the reply's.
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns `timeout`.
    pub fn run_once(
        &self,
        words: &[String],
        input: &str,
        timeout: Duration,
    ) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let how = How {
            interruptible: true,
            ..How::within(timeout)
        };
        let command = cmd!(sh, "{cli} run --rm --interactive {words...}");
        self.call_with_input(command.into(), &how, input)
    }
}
