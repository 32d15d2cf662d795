//! The options of `docker service create`, each with its place in a specification, and the parts that no option says.

use serde_json::{Map, Value};

use super::values::{
    before_equals, configs, cpus, health, mounts, nanoseconds, networks, number, pairs, plain,
    secrets, source, target, text, whole, words,
};
use How::{Many, One};

/// One option of `docker service create`, with how `docker service update` changes it.
pub(super) struct Kind {
    pub(super) flag: &'static str,
    /// Where it is in the specification of the tasks.
    pub(super) place: &'static str,
    pub(super) how: How,
}

pub(super) enum How {
    /// Several values, changed by `--FLAG-add` and, by the part that names one, `--FLAG-rm`.
    Many(fn(&Value) -> Vec<String>, fn(&str) -> &str),
    /// One value, changed by the same flag; nothing is said by this value.
    One(fn(&Value) -> Option<String>, &'static str),
}

pub(super) const KINDS: [Kind; 21] = [
    kind("env", "/ContainerSpec/Env", Many(plain, before_equals)),
    kind("secret", "/ContainerSpec/Secrets", Many(secrets, source)),
    kind("config", "/ContainerSpec/Configs", Many(configs, source)),
    kind("mount", "/ContainerSpec/Mounts", Many(mounts, target)),
    kind("network", "/Networks", Many(networks, whole)),
    kind(
        "container-label",
        "/ContainerSpec/Labels",
        Many(pairs, before_equals),
    ),
    kind("group", "/ContainerSpec/Groups", Many(plain, whole)),
    kind("constraint", "/Placement/Constraints", Many(plain, whole)),
    kind("user", "/ContainerSpec/User", One(text, "")),
    kind("workdir", "/ContainerSpec/Dir", One(text, "")),
    kind("hostname", "/ContainerSpec/Hostname", One(text, "")),
    kind("stop-signal", "/ContainerSpec/StopSignal", One(text, "")),
    kind(
        "stop-grace-period",
        "/ContainerSpec/StopGracePeriod",
        One(nanoseconds, "10s"),
    ),
    kind("entrypoint", "/ContainerSpec/Command", One(words, "")),
    kind("limit-cpu", "/Resources/Limits/NanoCPUs", One(cpus, "0")),
    kind(
        "limit-memory",
        "/Resources/Limits/MemoryBytes",
        One(number, "0"),
    ),
    kind("limit-pids", "/Resources/Limits/Pids", One(number, "0")),
    kind(
        "reserve-cpu",
        "/Resources/Reservations/NanoCPUs",
        One(cpus, "0"),
    ),
    kind(
        "reserve-memory",
        "/Resources/Reservations/MemoryBytes",
        One(number, "0"),
    ),
    kind(
        "health-cmd",
        "/ContainerSpec/Healthcheck/Test",
        One(health, ""),
    ),
    kind(
        "health-interval",
        "/ContainerSpec/Healthcheck/Interval",
        One(nanoseconds, "0s"),
    ),
];

/// The command of a program, which creation takes as words after the image.
pub(super) const ARGS: Kind = kind("args", "/ContainerSpec/Args", One(words, ""));

/// What is chosen for a service and not for its tasks' verification, and what the engine fills in.
pub(super) const OWN: [&str; 6] = [
    "/ContainerSpec/Image",
    "/RestartPolicy",
    "/ForceUpdate",
    "/Runtime",
    "/Placement/Platforms",
    "/ContainerSpec/Isolation",
];

const fn kind(flag: &'static str, place: &'static str, how: How) -> Kind {
    Kind { flag, place, how }
}

impl Kind {
    /// Whether its option can say all of what stands there.
    pub(super) fn says(&self, value: &Value) -> bool {
        let parts = value.as_array().map(Vec::len);
        let parts = parts.or_else(|| value.as_object().map(Map::len));
        match self.how {
            Many(read, _) => Some(read(value).len()) == parts,
            One(read, _) => read(value).is_some(),
        }
    }
}
