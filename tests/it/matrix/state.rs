//! All that is there of an app, with roles in the place of ids, so that two deployments can be compared.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::process::Command;

use serde_json::{Value, json};
use stage::docker::docker;
use stage::process::run_within;

use crate::support::{App, text};

/// Ids and names, and the roles that stand for them.
pub(super) type Roles = Vec<(String, &'static str)>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    /// By the ends of their names.
    pub(super) containers: BTreeMap<String, Value>,
    pub(super) images: Vec<String>,
    pub(super) tables: Vec<String>,
    pub(super) locked: bool,
}

impl State {
    pub(super) fn read(app: &App, roles: &Roles) -> anyhow::Result<State> {
        let containers = containers(app.name())?.into_iter().map(|found| {
            let name = text(&found["Name"]).trim_start_matches('/');
            let end = name.strip_prefix(app.name()).unwrap_or(name);
            (end.to_owned(), shown(&found, roles))
        });
        let containers = containers.collect();
        let label = format!("label=app={}", app.name());
        let format = "{{.ID}} {{.Repository}}:{{.Tag}}";
        let ids = docker([
            "image",
            "ls",
            "-a",
            "--no-trunc",
            "--filter",
            &label,
            "--format",
            format,
        ])?;
        let mut images: Vec<String> = ids.lines().map(|id| in_roles(id, roles)).collect();
        images.sort_unstable();
        Ok(State {
            containers,
            images,
            tables: tables(app.name())?,
            locked: locked(app.name())?,
        })
    }
}

/// Asked for with few calls: a matrix asks often.
fn containers(app: &str) -> anyhow::Result<Vec<Value>> {
    let filter = format!("name=^/?{app}(-new|-old|-next)?$");
    let ids = docker(["ps", "-aq", "--no-trunc", "--filter", &filter])?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = docker(["container", "inspect"].into_iter().chain(ids.lines()))?;
    Ok(serde_json::from_str(&found)?)
}

fn shown(container: &Value, roles: &Roles) -> Value {
    let one = json!({
        "image": container["Image"],
        "running": container["State"]["Running"],
        "restart": container["HostConfig"]["RestartPolicy"]["Name"],
        "labels": container["Config"]["Labels"],
    });
    let mut one: Value = serde_json::from_str(&in_roles(&one.to_string(), roles)).unwrap();
    let replaces = one["labels"]["deploy-steps.replaces"].as_str();
    if replaces.is_some_and(|id| id.len() == 64) {
        // That of a case before.
        one["labels"]["deploy-steps.replaces"] = "EARLIER-ID".into();
    }
    one
}

fn in_roles(text: &str, roles: &Roles) -> String {
    // Podman does not say what the id of a container's image is a digest by.
    let replaced = |text: String, (id, role): &(String, &str)| {
        text.replace(id.as_str(), role)
            .replace(id.trim_start_matches("sha256:"), role)
    };
    roles.iter().fold(text.to_owned(), replaced)
}

fn tables(app: &str) -> anyhow::Result<Vec<String>> {
    let mut nft = Command::new("nft");
    let run = run_within(
        nft.args(["list", "tables"]),
        None,
        std::time::Duration::from_secs(10),
    )?;
    let ours = format!("deploy-steps-{app}");
    let lines = run.stdout.lines().filter(|line| line.ends_with(&ours));
    Ok(lines.map(str::to_owned).collect())
}

fn locked(app: &str) -> anyhow::Result<bool> {
    match File::open(format!("/run/deploy-steps/deploy-steps-{app}.lock")) {
        Ok(file) => Ok(matches!(file.try_lock(), Err(TryLockError::WouldBlock))),
        Err(_) => Ok(false),
    }
}
