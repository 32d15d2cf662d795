//! Who else starts, replaces or removes a live container by itself, and would undo what is put in its place.

use thiserror::Error;

use crate::engine::container::Container;
use crate::host::unit;
use crate::text::printable;

/// The label by which podman names the unit of a container: of a quadlet, or one that podman has written.
const PODMANS_UNIT: &str = "PODMAN_SYSTEMD_UNIT";
/// The label of a swarm's task.
const SWARMS_SERVICE: &str = "com.docker.swarm.service.name";
/// Labels of containers that belong to something larger, and what that is.
const ORCHESTRATORS: [(&str, &str); 3] = [
    ("io.kubernetes.pod.name", "the Kubernetes pod"),
    ("com.hashicorp.nomad.alloc_id", "the Nomad allocation"),
    ("com.amazonaws.ecs.task-arn", "the ECS task"),
];
/// What all labels of compose begin with. Only what is live has them.
pub const COMPOSE: &str = "com.docker.compose.";
const COMPOSES_PROJECT: &str = "com.docker.compose.project";

/// Whoever keeps a container.
#[derive(Debug, PartialEq, Eq)]
enum Keeper {
    /// A systemd unit, by its name.
    Unit(String),
    /// A service of the swarm, by its name.
    Swarm(String),
    /// A program that has given the container a label: what it is, and the label's value.
    Orchestrator(&'static str, String),
    /// Compose, for a project of this name.
    Compose(String),
    /// The engine, which removes the container when it ends.
    Engine,
}

/// A live container that something else keeps.
#[derive(Debug, Error)]
#[error("{live} {keeper}; nothing was touched")]
pub struct Kept {
    live: String,
    keeper: Keeper,
}

/// Whether compose has made the container, or one that has come in its place.
pub fn is_composed(container: &Container) -> bool {
    container.label(COMPOSES_PROJECT).is_some()
}

/// What is live may be replaced.
///
/// # Errors
/// Whoever else would start it again, remove it, or end what comes in its place.
pub fn none_keeps(live: Option<&Container>) -> Result<(), Kept> {
    let Some(live) = live else {
        return Ok(());
    };
    let running = || unit::that_runs(live.name(), &live.id).map(Keeper::Unit);
    let by_itself = || live.host_config.auto_remove.then_some(Keeper::Engine);
    let keeper = by_label(live).or_else(running).or_else(by_itself);
    keeper.map_or(Ok(()), |keeper| kept(live, keeper))
}

fn kept(live: &Container, keeper: Keeper) -> Result<(), Kept> {
    let live = live.name().to_owned();
    Err(Kept { live, keeper })
}

/// What is live may be followed by a container that runs already, which can get no more labels.
///
/// # Errors
/// Compose, which would not know its service any more.
pub fn no_labels_are_missed(live: Option<&Container>) -> Result<(), Kept> {
    let composed = live.and_then(|live| Some((live, live.label(COMPOSES_PROJECT)?)));
    composed.map_or(Ok(()), |(live, project)| {
        kept(live, Keeper::Compose(printable(project, 100)))
    })
}

fn by_label(live: &Container) -> Option<Keeper> {
    let said = |label: &str| live.label(label).map(|value| printable(value, 100));
    let mut others = ORCHESTRATORS.into_iter();
    let others = || others.find_map(|(label, what)| Some(Keeper::Orchestrator(what, said(label)?)));
    said(PODMANS_UNIT)
        .map(Keeper::Unit)
        .or_else(|| said(SWARMS_SERVICE).map(Keeper::Swarm))
        .or_else(others)
}

impl std::fmt::Display for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit(unit) => write!(
                f,
                "is run by the systemd unit {unit}, which would start it again or end what comes in its place"
            ),
            Self::Swarm(name) => write!(
                f,
                "is a task of the swarm's service {name}, which would start another one"
            ),
            Self::Orchestrator(what, name) => {
                write!(f, "is kept by {what} {name}, which would undo the release")
            }
            Self::Compose(project) => write!(
                f,
                "is a service of the compose project {project}, and a candidate that goes live itself cannot get compose's labels"
            ),
            Self::Engine => write!(
                f,
                "was started with --rm: the engine removes it as soon as it stops, and nothing could be rolled back to"
            ),
        }
    }
}

impl Kept {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        let live = &self.live;
        match &self.keeper {
            Keeper::Unit(unit) => format!(
                "let the engine keep it: `systemctl disable --now {unit}`, then `docker run --detach --restart always --name {live} …`, and deploy again"
            ),
            Keeper::Swarm(name) => format!("give --swarm and --container {name} to every step"),
            Keeper::Orchestrator(..) => {
                "deploy by what keeps it, or give --container another name".to_owned()
            }
            Keeper::Compose(_) => {
                "publish a port in place of --network and --alias, or start it once without compose"
                    .to_owned()
            }
            Keeper::Engine => format!(
                "stop it and start it without --rm: `docker run --detach --restart always --name {live} …`, and deploy again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn container(labels: Value, host: Value) -> Container {
        serde_json::from_value(json!({
            "Id": "0123456789abcdef", "Name": "/a-container-that-no-unit-runs", "Image": "", "State": {},
            "Config": {"Labels": labels}, "HostConfig": host, "NetworkSettings": {},
        }))
        .unwrap()
    }

    #[test]
    fn who_keeps_a_container_is_told_with_what_helps() {
        for (labels, host, said, hint) in [
            (
                json!({"PODMAN_SYSTEMD_UNIT": "web.service"}),
                json!({}),
                "unit web.service",
                "disable --now web.service",
            ),
            (
                json!({"com.docker.swarm.service.name": "web"}),
                json!({}),
                "service web",
                "--swarm",
            ),
            (
                json!({"io.kubernetes.pod.name": "web-0"}),
                json!({}),
                "pod web-0",
                "--container",
            ),
            (
                json!({}),
                json!({"AutoRemove": true}),
                "--rm",
                "without --rm",
            ),
        ] {
            let kept = none_keeps(Some(&container(labels, host))).unwrap_err();
            assert!(kept.to_string().contains(said), "{kept}");
            assert!(kept.hint().contains(hint), "{}", kept.hint());
        }
    }

    #[test]
    fn what_a_person_or_compose_has_made_may_be_replaced() {
        let composed = container(json!({"com.docker.compose.project": "shop"}), json!({}));
        assert!(is_composed(&composed) && none_keeps(Some(&composed)).is_ok());
        assert!(no_labels_are_missed(Some(&composed)).is_err());
        assert!(none_keeps(Some(&container(json!({}), json!({})))).is_ok());
        assert!(none_keeps(None).is_ok());
    }
}
