//! What has changed between the candidate's creation and the final container's.
//!
//! Both are created by the same words and variables, so only what the words stand for can change: files that they name,
//! the caller's settings, other containers. The candidate runs and the final container does not yet, and an engine
//! rewrites what it shows of a container as it starts: Docker on cgroup v2 turns `OomKillDisable` from false to null,
//! podman adds limits and variables. Comparing all that the engine shows therefore refused every promotion there. So
//! this compares the inputs one by one, and no field that only the engine fills.

use std::collections::{BTreeMap, BTreeSet};

use step::engine::config::Mount;
use step::engine::container::Container;
use step::ownership::keeper::COMPOSE;
use step::ownership::marks;
use step::text::printable;

use crate::failure::Failure;

/// Variables that an engine adds to the environment of a container that it starts; podman 4 and 5 do so.
const ADDED_AT_START: [&str; 4] = ["HOME", "HOSTNAME", "TERM", "container"];
/// More than these are counted, not named.
const MOST_NAMED: usize = 5;

/// An input in which the final container differs from the candidate.
enum Input {
    Image,
    Entrypoint,
    Command,
    User,
    WorkingDir,
    Seccomp,
    Variable(String),
    Label(String),
    Mount(String),
    Namespace(&'static str),
}

/// What goes live is what was verified: a file that is read twice may have changed in between.
///
/// # Errors
/// In what `created`, the final container before its start, is another.
pub(super) fn check(candidate: &Container, created: &Container) -> Result<(), Failure> {
    match between(candidate, created) {
        Some(drift) => Err(Failure::NotVerified(drift)),
        None => Ok(()),
    }
}

/// In what `created`, the final container before its start, is not what `candidate` was created as; for a sentence.
fn between(candidate: &Container, created: &Container) -> Option<String> {
    let mut all = single(candidate, created);
    let variables = differing(&candidate.variables(), &created.variables()).into_iter();
    let counts =
        |(name, is_added): &(String, bool)| !(*is_added && ADDED_AT_START.contains(&name.as_str()));
    all.extend(
        variables
            .filter(counts)
            .map(|(name, _)| Input::Variable(name)),
    );
    let labels = differing(&labels(candidate), &labels(created)).into_iter();
    all.extend(labels.map(|(name, _)| Input::Label(name)));
    let mounts = differing(&mounts(candidate), &mounts(created)).into_iter();
    all.extend(mounts.map(|(place, _)| Input::Mount(place)));
    let pairs =
        (candidate.host_config.shares_with().into_iter()).zip(created.host_config.shares_with());
    let differing = pairs.filter(|(one, other)| one != other);
    all.extend(differing.map(|((kind, _), _)| Input::Namespace(kind)));
    (!all.is_empty()).then(|| sentence(&all))
}

/// The inputs of which a container has one.
fn single(candidate: &Container, created: &Container) -> Vec<Input> {
    let (a, b) = (&candidate.config, &created.config);
    let seccomp = |container: &Container| container.host_config.seccomp().join("\n");
    let all = [
        (candidate.image != created.image, Input::Image),
        (a.entrypoint != b.entrypoint, Input::Entrypoint),
        (a.cmd != b.cmd, Input::Command),
        (a.user != b.user, Input::User),
        (a.working_dir != b.working_dir, Input::WorkingDir),
        (seccomp(candidate) != seccomp(created), Input::Seccomp),
    ];
    let differing = all.into_iter().filter(|(differs, _)| *differs);
    differing.map(|(_, input)| input).collect()
}

/// The keys whose values differ, and whether only the candidate has them.
fn differing<V: PartialEq>(
    candidate: &BTreeMap<&str, V>,
    created: &BTreeMap<&str, V>,
) -> Vec<(String, bool)> {
    let keys: BTreeSet<&str> = candidate.keys().chain(created.keys()).copied().collect();
    keys.into_iter()
        .filter(|key| candidate.get(key) != created.get(key))
        .map(|key| (key.to_owned(), !created.contains_key(key)))
        .collect()
}

/// Without those of the steps, which say which of the two it is, and those of compose, which only the final one has.
fn labels(container: &Container) -> BTreeMap<&str, &str> {
    let all = container.config.labels.iter();
    let is_input = |name: &str| !name.starts_with(marks::PREFIX) && !name.starts_with(COMPOSE);
    all.filter(|(name, _)| is_input(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// By their place in the container. Each container has anonymous volumes of its own.
fn mounts(container: &Container) -> BTreeMap<&str, (&str, bool, &str, &str)> {
    let all = container.mounts.iter();
    all.map(|mount: &Mount| {
        let (name, source) = match mount.is_anonymous() {
            true => ("", ""),
            false => (mount.name.as_str(), mount.source.as_str()),
        };
        let what = (mount.kind.as_str(), mount.writable, name, source);
        (mount.destination.as_str(), what)
    })
    .collect()
}

fn sentence(differing: &[Input]) -> String {
    let named: Vec<String> = differing.iter().take(MOST_NAMED).map(Input::name).collect();
    let more = match differing.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    named.join(", ") + &more
}

impl Input {
    fn name(&self) -> String {
        match self {
            Self::Image => "its image".to_owned(),
            Self::Entrypoint => "its entrypoint".to_owned(),
            Self::Command => "its command".to_owned(),
            Self::User => "its user".to_owned(),
            Self::WorkingDir => "its working directory".to_owned(),
            Self::Variable(name) if is_a_name(name) => format!("the environment variable {name}"),
            Self::Variable(_) => "an environment variable with an unusual name".to_owned(),
            Self::Label(name) => format!("the label {}", printable(name, 100)),
            Self::Mount(place) => format!("the mount at {}", printable(place, 100)),
            Self::Seccomp => "its seccomp profile".to_owned(),
            Self::Namespace(kind) => format!("the container whose {kind} it shares"),
        }
    }
}

/// A line of a key in an env file would be a variable, too: such a name is not shown.
fn is_a_name(name: &str) -> bool {
    let letters = |is: fn(&char) -> bool| name.chars().any(|c| is(&c));
    let mixed = letters(char::is_ascii_lowercase) && letters(char::is_ascii_uppercase);
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_word && name.len() <= 64 && (!mixed || name.contains('_'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn container(config: Value, host: Value, mounts: Value) -> Container {
        serde_json::from_value(json!({
            "Id": "", "Name": "web", "Image": "sha256:1", "State": {}, "Config": config,
            "HostConfig": host, "Mounts": mounts, "NetworkSettings": {},
        }))
        .unwrap()
    }

    fn with_env(env: Value) -> Container {
        container(json!({"Env": env}), json!({}), json!([]))
    }

    fn said(candidate: &Container, created: &Container) -> String {
        between(candidate, created).unwrap_or_default()
    }

    #[test]
    fn no_field_that_the_engine_rewrites_at_the_start_is_a_difference() {
        let created =
            json!({"OomKillDisable": false, "Memory": 0, "Ulimits": null, "Annotations": null});
        let started = json!({"OomKillDisable": null, "Ulimits": [{"Name": "RLIMIT_NPROC"}], "Later": {"engine": 1}});
        let host = |host| container(json!({"Env": ["A=b"]}), host, json!([]));
        assert_eq!(between(&host(started), &host(created)), None);
    }

    #[test]
    fn a_variable_that_the_start_adds_is_no_difference_and_one_that_was_lost_is() {
        let started = with_env(json!(["A=b", "HOME=/", "HOSTNAME=8f1e"]));
        assert_eq!(between(&started, &with_env(json!(["A=b"]))), None);
        let set = with_env(json!(["A=b", "HOME=/x"]));
        assert_eq!(said(&started, &set), "the environment variable HOME");
        let more = with_env(json!(["A=b", "B=c"]));
        let less = with_env(json!(["A=b"]));
        assert_eq!(said(&more, &less), "the environment variable B");
        assert_eq!(said(&less, &more), "the environment variable B");
        assert_eq!(
            said(&less, &with_env(json!(["A=c"]))),
            "the environment variable A"
        );
    }

    #[test]
    fn the_order_of_variables_is_no_difference_and_that_of_one_given_twice_is() {
        let pairs = |list: &[&str]| with_env(json!(list));
        assert_eq!(
            between(&pairs(&["A=1", "B=2"]), &pairs(&["B=2", "A=1"])),
            None
        );
        assert!(between(&pairs(&["A=1", "A=2"]), &pairs(&["A=2", "A=1"])).is_some());
        assert_eq!(between(&pairs(&["A=1", "A=2"]), &pairs(&["A=2"])), None);
    }

    #[test]
    fn what_may_be_a_line_of_a_key_is_not_shown_as_a_variables_name() {
        let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
        let drift = said(&with_env(json!([format!("{key}==")])), &with_env(json!([])));
        assert_eq!(drift, "an environment variable with an unusual name");
        for name in ["LEVEL", "http_proxy", "Logging__Level"] {
            assert!(is_a_name(name), "{name}");
        }
    }

    #[test]
    fn each_container_has_anonymous_volumes_of_its_own() {
        let mount = |name: &str| {
            let mount = json!([{"Type": "volume", "Name": name, "Source": name, "Destination": "/data", "RW": true}]);
            container(json!({}), json!({}), mount)
        };
        let (one, other) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(between(&mount(&one), &mount(&other)), None);
        assert_eq!(said(&mount("data"), &mount("other")), "the mount at /data");
    }

    #[test]
    fn every_input_that_differs_is_named_and_many_are_counted() {
        let one = container(
            json!({"User": "1", "Cmd": ["a"], "Entrypoint": ["/a"], "WorkingDir": "/", "Labels": {"tier": "1"}}),
            json!({"SecurityOpt": ["seccomp={\"a\": 1}"], "NetworkMode": "container:1"}),
            json!([]),
        );
        let other = container(
            json!({"User": "2", "Cmd": ["b"], "Entrypoint": ["/b"], "WorkingDir": "/b", "Labels": {"deploy-steps.app": "web"}}),
            json!({"SecurityOpt": ["seccomp={\"a\": 2}"], "NetworkMode": "container:2"}),
            json!([]),
        );
        assert_eq!(
            said(&one, &other),
            "its entrypoint, its command, its user, its working directory, its seccomp profile and 2 more"
        );
    }
}
