//! Limits of a container that the steps have made, as they are now: `docker update` changes them, and no recipe.

use step::engine::container::Container;
use step::model::run_options::{Edit, edited, flags};
use step::recipe::Recipe;

use super::merge::key;
use super::read_back::ReadBack;

/// What `docker update` changes, besides the restart policy.
const CHANGING: [&str; 14] = [
    "blkio-weight",
    "cpu-period",
    "cpu-quota",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "cpu-shares",
    "cpus",
    "cpuset-cpus",
    "cpuset-mems",
    "kernel-memory",
    "memory",
    "memory-reservation",
    "memory-swap",
    "pids-limit",
];

/// The live container's recipe with the limits that it has now. What the engine shows none of stays as it was given:
/// a kernel that cannot limit it drops it. Podman shows a container as it runs, not as it was asked for.
pub(super) fn as_now(own: Recipe, live: &Container) -> Recipe {
    if live.is_podman() {
        return own;
    }
    let now = ReadBack::now(live, &CHANGING);
    let shown: Vec<&str> = flags(&now).iter().map(|it| it.name).collect();
    // What is twice the memory is not shown: it is so by itself.
    let is_shown =
        |name: &str| shown.contains(&name) || name == "memory-swap" && shown.contains(&"memory");
    let kept = edited(&own.options, |flag| match is_shown(key(&flag).0) {
        true => Edit::Drop,
        false => Edit::Keep,
    });
    Recipe {
        options: [kept, now].concat(),
        ..own
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(host: Value, runtime: &str, options: &str) -> String {
        let live: Container = serde_json::from_value(json!({
            "Id": "0123456789ab", "Name": "web", "Image": "", "State": {}, "Config": {}, "HostConfig": host,
            "NetworkSettings": {}, "OCIRuntime": runtime,
        }))
        .unwrap();
        let own = Recipe {
            options: options.split_whitespace().map(str::to_owned).collect(),
            ..Recipe::default()
        };
        as_now(own, &live).options.join(" ")
    }

    #[test]
    fn what_was_changed_since_goes_before_what_was_given() {
        let now = json!({"Memory": 67_108_864, "MemorySwap": 134_217_728, "NanoCpus": 500_000_000, "PidsLimit": null});
        assert_eq!(
            said(
                now,
                "",
                "-e A -m 32m --memory-swap=32m --cpus 2 --init --pids-limit=7"
            ),
            "-e A --init --pids-limit=7 --memory=67108864 --cpus=0.5"
        );
    }

    #[test]
    fn what_the_kernel_drops_and_what_podman_shows_leaves_the_recipe_as_it_is() {
        let options = "--memory 32m --cpu-shares=512";
        let none = json!({"Memory": 0, "CpuShares": 0, "PidsLimit": 0, "CpusetCpus": ""});
        assert_eq!(said(none, "", options), options);
        let running = json!({"Memory": 7, "PidsLimit": 2048});
        assert_eq!(said(running, "crun", options), options);
    }
}
