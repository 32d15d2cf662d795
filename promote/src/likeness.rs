//! Whether a started container was created as one that is not started: podman also shows what the start has added.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use step::Container;

/// The variables that podman adds at the start.
const VARIABLES: [&str; 2] = ["HOME=", "HOSTNAME="];
/// The limits that it adds then.
const LIMITS: [&str; 2] = ["RLIMIT_NOFILE", "RLIMIT_NPROC"];

/// Whether their environments were asked for differently.
pub(crate) fn env_differs(started: &Container, created: &Container) -> bool {
    let (mut one, mut other) = (started.config.env.clone(), created.config.env.clone());
    if started.is_podmans() {
        let is_added = |pair: &str| VARIABLES.iter().any(|name| pair.starts_with(name));
        one.retain(|pair| other.contains(pair) || !is_added(pair));
    }
    one.sort_unstable();
    other.sort_unstable();
    one != other
}

/// Whether they were tied to the host differently, apart from networks, ports and restarts.
pub(crate) fn limits_differ(started: &Container, created: &Container) -> bool {
    as_created(started, created) != as_created(created, created)
}

fn as_created(container: &Container, created: &Container) -> BTreeMap<String, Value> {
    let mut rest = container.host_config.rest.clone();
    if !container.is_podmans() {
        return rest;
    }
    // Notes of its own; volumes, the container's own by name, which are looked at as mounts.
    rest.retain(|key, _| !matches!(key.as_str(), "Annotations" | "Binds"));
    if let Some(Value::Object(log)) = rest.get_mut("LogConfig") {
        log.remove("Path");
    }
    let asked = limits(created);
    let mut limits = limits(container);
    let is_added = |limit: &Value| LIMITS.iter().any(|name| limit["Name"] == *name);
    limits.retain(|limit| asked.contains(limit) || !is_added(limit));
    rest.insert("Ulimits".to_owned(), json!(limits));
    rest
}

fn limits(container: &Container) -> Vec<Value> {
    let limits = container.host_config.rest.get("Ulimits");
    limits
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(runtime: Value, env: Value, limits: Value, log: &str) -> Container {
        serde_json::from_value(json!({
            "Id": "", "Name": "web", "Image": "", "State": {}, "OCIRuntime": runtime, "Config": {"Env": env},
            "HostConfig": {"Ulimits": limits, "LogConfig": {"Path": log}}, "NetworkSettings": {},
        }))
        .unwrap()
    }

    fn limit(name: &str, number: u32) -> Value {
        json!({"Name": name, "Soft": number, "Hard": number})
    }

    #[test]
    fn what_a_start_adds_is_no_difference_and_what_was_asked_for_is() {
        let created = |env| container(json!("crun"), env, Value::Null, "/b");
        let env = json!(["A=b", "HOME=", "HOSTNAME=8f1e"]);
        let started = container(json!("crun"), env, json!([limit("RLIMIT_NPROC", 9)]), "/a");
        assert!(!env_differs(&started, &created(json!(["A=b"]))));
        assert!(!limits_differ(&started, &created(json!(["A=b"]))));
        assert!(env_differs(&started, &created(json!(["A=c"]))));
        assert!(env_differs(&started, &created(json!(["A=b", "HOME=/x"]))));
        let other = container(
            json!("crun"),
            json!([]),
            json!([limit("RLIMIT_NPROC", 8)]),
            "/b",
        );
        assert!(limits_differ(&started, &other));
    }

    #[test]
    fn docker_shows_what_was_asked_for_and_all_of_it_counts() {
        let docker = |env, log| container(Value::Null, env, Value::Null, log);
        let pairs = || json!(["A=b", "HOME=/x"]);
        assert!(!env_differs(
            &docker(pairs(), ""),
            &docker(json!(["HOME=/x", "A=b"]), "")
        ));
        assert!(env_differs(
            &docker(pairs(), ""),
            &docker(json!(["A=b"]), "")
        ));
        assert!(limits_differ(
            &docker(pairs(), "/a"),
            &docker(pairs(), "/b")
        ));
    }
}
