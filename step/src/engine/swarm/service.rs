//! A service as Docker Swarm describes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::options::ServiceOptions;
use crate::engine::environment::pair;
use crate::engine::json::nullable;
use crate::text::secrets::Secrets;

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

    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.spec.labels
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
        self.secrets().show(&self.update_status.message, 300)
    }

    /// What its tasks are made with.
    pub fn options(&self) -> ServiceOptions<'_> {
        ServiceOptions::of(&self.spec.task_template)
    }

    /// The variables that its tasks are given.
    pub fn variables(&self) -> BTreeMap<&str, Option<&str>> {
        variables(&self.spec.task_template)
    }

    /// The options of its tasks' log driver.
    pub fn log_options(&self) -> BTreeMap<String, String> {
        log_options(&self.spec.task_template)
    }

    /// What must not be shown of it: the values of its environment and its log driver's options.
    pub fn secrets(&self) -> Secrets {
        secrets_of(&self.spec.task_template)
    }
}

fn variables(template: &Value) -> BTreeMap<&str, Option<&str>> {
    let env = template["ContainerSpec"]["Env"].as_array();
    let pairs = env.into_iter().flatten().filter_map(Value::as_str);
    pairs.map(pair).collect()
}

fn log_options(template: &Value) -> BTreeMap<String, String> {
    let options = &template["LogDriver"]["Options"];
    serde_json::from_value(options.clone()).unwrap_or_default()
}

/// Of tasks that are made by this template.
pub(super) fn secrets_of(template: &Value) -> Secrets {
    let log = log_options(template);
    let values = variables(template).into_values().flatten();
    Secrets::of(values.chain(log.values().map(String::as_str)))
}
