//! A task of a service: one container on one node, or the attempt at one.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::service::Service;
use super::service::secrets_of;
use crate::engine::json::{nullable, number};
use crate::text::secrets::Secrets;

/// A task, by `docker inspect --type task`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Task {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "CreatedAt", default)]
    pub(super) created: String,
    #[serde(rename = "ServiceID", default)]
    service: String,
    /// The node it was given to; empty before.
    #[serde(rename = "NodeID", default)]
    pub node: String,
    #[serde(default)]
    desired_state: String,
    #[serde(default, deserialize_with = "nullable")]
    status: Status,
    #[serde(default)]
    spec: Value,
    #[serde(default, deserialize_with = "nullable")]
    networks_attachments: Vec<Place>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Status {
    state: String,
    message: String,
    err: String,
    #[serde(deserialize_with = "nullable")]
    container_status: Ended,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Ended {
    #[serde(deserialize_with = "number")]
    exit_code: i64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Place {
    network: Network,
    #[serde(deserialize_with = "nullable")]
    addresses: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "ID")]
    id: String,
}

/// How a task stands, for reports.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TaskStatus {
    /// Its id.
    pub task: String,
    /// Its node's id; absent before it was given to one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// Swarm's word: `pending`, `running`, `failed`, `rejected`, …
    pub state: String,
    /// Why it is not running, in the engine's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// What its program ended with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
}

impl Task {
    pub(super) fn is_of(&self, service: &Service) -> bool {
        self.service == service.id
    }

    /// Whether Swarm wants it to run.
    pub fn is_wanted(&self) -> bool {
        !matches!(self.desired_state.as_str(), "shutdown" | "remove")
    }

    /// Whether it runs and is to; with a HEALTHCHECK only once that is good.
    pub fn runs(&self) -> bool {
        self.is_wanted() && self.status.state == "running"
    }

    /// Whether it ended by itself, or never could begin.
    pub fn has_failed(&self) -> bool {
        matches!(
            self.status.state.as_str(),
            "failed" | "rejected" | "orphaned"
        )
    }

    /// Whether it has ended, however.
    pub fn has_ended(&self) -> bool {
        self.has_failed()
            || matches!(
                self.status.state.as_str(),
                "complete" | "shutdown" | "remove"
            )
    }

    /// Swarm's word for its state.
    pub fn state(&self) -> &str {
        &self.status.state
    }

    /// Its program's exit code.
    pub fn exit_code(&self) -> i64 {
        self.status.container_status.exit_code
    }

    /// The image it was made from.
    pub fn image(&self) -> &str {
        let image = &self.spec["ContainerSpec"]["Image"];
        image.as_str().unwrap_or_default()
    }

    /// Its address on a network.
    pub fn address(&self, network: &str) -> Option<IpAddr> {
        let mut places = self.networks_attachments.iter();
        let place = places.find(|it| it.network.id == network)?;
        place.addresses.first()?.split('/').next()?.parse().ok()
    }

    /// Why it stands as it does, in words.
    pub fn why(&self) -> String {
        let (err, message) = (&self.status.err, &self.status.message);
        let said = if err.is_empty() { message } else { err };
        let said = format!("{}: {said}", self.status.state);
        self.secrets().show(&said, 300)
    }

    /// What must not be shown of it: the values of its environment and its log driver's options.
    pub fn secrets(&self) -> Secrets {
        secrets_of(&self.spec)
    }

    /// For a report.
    pub fn standing(&self) -> TaskStatus {
        TaskStatus {
            task: self.id.clone(),
            node: self.node.clone(),
            state: self.status.state.clone(),
            error: self.secrets().show(&self.status.err, 300),
            exit_code: self.has_ended().then(|| self.exit_code()),
        }
    }
}
