//! What Docker Swarm says of services, tasks and nodes, and the orders for services: each one call of the CLI.

mod options;
mod task;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use xshell::cmd;

use super::orders::in_folder;
use super::{Engine, EngineError, Reply, nullable};
use crate::child::How;

pub use options::{ServiceOptions, names_option};
pub use task::{Standing, Task};

/// A service, by `docker service inspect`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Service {
    /// Its id, 25 letters and digits.
    #[serde(rename = "ID")]
    pub id: String,
    spec: Spec,
    #[serde(default, deserialize_with = "nullable")]
    endpoint: Value,
    #[serde(default, deserialize_with = "nullable")]
    update_status: UpdateStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Spec {
    name: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    task_template: Value,
    mode: Value,
    rollback_config: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UpdateStatus {
    state: String,
    message: String,
}

/// Whether this kernel has IPVS, by which Swarm leads a published port to the tasks.
pub fn leads_ports() -> bool {
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

/// How far Swarm says that an update is; not to be believed without a look at the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// None was needed, or it has not begun.
    None,
    /// It goes on.
    Running,
    /// It is done.
    Completed,
    /// It goes back to the specification before.
    RollingBack,
    /// It has gone back.
    RolledBack,
    /// It stands still until a person or another update comes.
    Paused,
    /// It stands still on its way back: the specification is the one before already.
    RollbackPaused,
}

impl Service {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// A label of the service.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.spec.labels.get(name).map(String::as_str)
    }

    /// The image of its tasks, as it was given to Swarm.
    pub fn image(&self) -> &str {
        let image = &self.spec.task_template["ContainerSpec"]["Image"];
        image.as_str().unwrap_or_default()
    }

    /// How many tasks it is to have; `None` for one on every node, and for jobs.
    pub fn replicas(&self) -> Option<usize> {
        let number = self.spec.mode["Replicated"]["Replicas"].as_u64()?;
        usize::try_from(number).ok()
    }

    /// The ids of the networks it is on.
    pub fn networks(&self) -> Vec<&str> {
        let all = self.spec.task_template["Networks"].as_array();
        let targets = all.into_iter().flatten();
        targets.filter_map(|it| it["Target"].as_str()).collect()
    }

    /// Whether other containers call it by further names.
    pub fn has_aliases(&self) -> bool {
        let all = self.spec.task_template["Networks"].as_array();
        let mut named = all.into_iter().flatten();
        named.any(|it| it["Aliases"].as_array().is_some_and(|all| !all.is_empty()))
    }

    /// Whether it publishes any port.
    pub fn publishes(&self) -> bool {
        let ports = self.endpoint["Spec"]["Ports"].as_array();
        ports.is_some_and(|all| !all.is_empty())
    }

    /// Whether a rollback starts a new task before it stops one.
    pub fn rolls_back_start_first(&self) -> bool {
        self.spec.rollback_config["Order"] == "start-first"
    }

    /// How far Swarm says that its update is.
    pub fn update(&self) -> Update {
        match self.update_status.state.as_str() {
            "" => Update::None,
            "completed" => Update::Completed,
            "rollback_started" => Update::RollingBack,
            "rollback_completed" => Update::RolledBack,
            "paused" => Update::Paused,
            "rollback_paused" => Update::RollbackPaused,
            _ => Update::Running,
        }
    }

    /// What Swarm says of it in words.
    pub fn update_message(&self) -> String {
        crate::printable(&self.update_status.message, 300)
    }

    /// What its tasks are made with.
    pub fn options(&self) -> ServiceOptions<'_> {
        ServiceOptions::of(&self.spec.task_template)
    }

    /// The values of its environment that are long enough to be secrets.
    pub fn secrets(&self) -> Vec<String> {
        let env = self.spec.task_template["ContainerSpec"]["Env"].as_array();
        let pairs = env.into_iter().flatten().filter_map(Value::as_str);
        let values = pairs.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
        values.filter(|value| value.chars().count() >= 6).collect()
    }
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
    /// `Ready`, `Down`, …
    pub status: String,
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
    control_available: bool,
    error: String,
}

impl Engine {
    /// Asks whether this engine manages a swarm; only then the other questions have answers.
    ///
    /// # Errors
    /// [`EngineError::NoManager`], or when the engine cannot be asked.
    pub fn manager(&self) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} info --format '{{json .}}'").into())?;
        let info: Info = read(&reply.success()?)?;
        let swarm = info.swarm;
        if swarm.control_available && swarm.error.is_empty() {
            return Ok(());
        }
        Err(EngineError::NoManager(
            match swarm.local_node_state.as_str() {
                "active" if swarm.error.is_empty() => "it is a worker".to_owned(),
                "active" | "error" => crate::printable(&swarm.error, 300),
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
        let found: Vec<Service> = read(&reply)?;
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
        let nodes = lines.map(|line| {
            serde_json::from_str(line).map_err(|error| EngineError::Failed {
                call: reply.call.clone(),
                message: super::unreadable(&error),
            })
        });
        nodes.collect()
    }

    /// Creates a service, with paths in `words` meant in `folder`, and does not wait for its tasks; a refusal is
    /// a [`Reply`].
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline, or the folder is gone and needed.
    pub fn create_service(&self, words: &[String], folder: &str) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let command = cmd!(
            sh,
            "{cli} service create --detach --with-registry-auth {words...}"
        );
        self.call(in_folder(command.into(), words, folder)?)
    }

    /// Changes a service and does not wait for its tasks; a refusal is a [`Reply`].
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline.
    pub fn update_service(&self, id: &str, words: &[String]) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(
            cmd!(
                sh,
                "{cli} service update --detach --with-registry-auth {words...} {id}"
            )
            .into(),
        )
    }

    /// Has a service go back to its specification before, and does not wait for its tasks.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn roll_back_service(&self, id: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} service rollback --detach {id}").into())?
            .success()?;
        Ok(())
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

    /// What a task has written, on whatever node it ran: the last `count` lines.
    pub fn task_log(&self, task: &str, count: usize, secrets: &[String]) -> Vec<String> {
        let text = self.task_output(task, count);
        crate::tail(&text, count, secrets)
    }

    /// The same as it was written, streams mixed; empty where it cannot be had, as from a node that is down.
    pub fn task_output(&self, task: &str, count: usize) -> String {
        // It waits for nodes that do not answer.
        const PATIENCE: Duration = Duration::from_secs(10);
        let Self { sh, cli, .. } = self;
        let lines = count.to_string();
        let command = cmd!(sh, "{cli} service logs --raw --tail {lines} {task}");
        match self.call_as(command.into(), &How::within(PATIENCE)) {
            Ok(reply) if reply.code == Some(0) => format!("{}\n{}", reply.stdout, reply.stderr),
            _ => String::new(),
        }
    }

    /// Runs a program of this machine in a container on a network of the swarm, and removes it; its exit
    /// code and what it said are the reply's.
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns `timeout`.
    pub fn run_once(&self, words: &[String], timeout: Duration) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let how = How {
            interruptible: true,
            ..How::within(timeout)
        };
        self.call_as(cmd!(sh, "{cli} run --rm {words...}").into(), &how)
    }
}

fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, EngineError> {
    serde_json::from_str(&reply.stdout).map_err(|error| EngineError::Failed {
        call: reply.call.clone(),
        message: super::unreadable(&error),
    })
}
