//! What the engine answers may be any JSON: it is read or refused, and what is read can be used.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{is_harmless, junk, replaced, texts};
use crate::engine::container::Container;
use crate::engine::image::Image;
use crate::engine::json::unreadable;
use crate::model::port::Publish;
use crate::ownership::marks::{as_previous, recipe_of, secrets_of};
use crate::recipe::Previous;

fn container() -> Value {
    json!([{
        "Id": "8".repeat(64), "Name": "/web", "Image": format!("sha256:{}", "8".repeat(64)),
        "RestartCount": 0, "Mounts": [{"Type": "volume", "Name": "v", "Source": "/s", "Destination": "/d", "RW": true}],
        "State": {"Status": "running", "Running": true, "OOMKilled": false, "Pid": 1, "ExitCode": 0, "Error": "", "Health": {"Status": "healthy"}},
        "Config": {"Image": "web", "Env": ["A=b"], "Labels": {"app": "web", "deploy-steps.recipe": "{}"}, "ExposedPorts": {"80/tcp": {}}, "Cmd": null},
        "HostConfig": {"NetworkMode": "default", "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}, "RestartPolicy": {"Name": "no"}},
        "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "::", "HostPort": "80"}], "53/udp": null},
            "Networks": {"bridge": {"IPAddress": "172.17.0.2", "IPPrefixLen": 16, "Aliases": null, "IPAMConfig": {"IPv4Address": "172.17.0.2"}}}},
    }])
}

fn image() -> Value {
    json!([{
        "Id": format!("sha256:{}", "8".repeat(64)), "RepoTags": ["web:v1"], "RepoDigests": ["web@sha256:8"], "Parent": "",
        "Created": "2026-01-01T00:00:00Z", "Size": 1, "Os": "linux", "Architecture": "amd64",
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"}, "Config": {"Labels": null, "ExposedPorts": {"80/tcp": {}}},
    }])
}

/// A whole answer in which any one part is something else.
fn answers(whole: fn() -> Value) -> impl Strategy<Value = String> {
    let part = prop_oneof![junk(), ports()];
    let odd = (any::<prop::sample::Index>(), part)
        .prop_map(move |(at, by)| replaced(whole(), at, by).to_string());
    prop_oneof![8 => odd, 1 => junk().prop_map(|junk| junk.to_string()), 1 => texts()]
}

/// What stands where ports are listed.
fn ports() -> impl Strategy<Value = Value> {
    let number = prop::sample::select(vec!["0", "", "+80", "80", "65536", "00"]);
    (number.clone(), "[0-9.:]{0,9}", number).prop_map(
        |(port, ip, host)| json!({format!("{port}/tcp"): [{"HostIp": ip, "HostPort": host}]}),
    )
}

fn use_all(container: &Container) -> Result<(), TestCaseError> {
    let published = container.host_config.published();
    for publish in published.iter().chain(&container.network_settings.bound()) {
        prop_assert_eq!(publish.to_string().parse::<Publish>(), Ok(*publish));
    }
    prop_assert!(!container.exposed().contains(&0));
    let places = container.network_settings.networks.values();
    prop_assert!(
        places
            .filter_map(|place| place.address())
            .all(|(ip, _)| container.prefix_of(ip).is_some())
    );
    prop_assert!(!container.name().starts_with('/'));
    let previous = as_previous(container);
    prop_assert_eq!(
        serde_json::from_str::<Previous>(&serde_json::to_string(&previous).unwrap()).unwrap(),
        previous
    );
    drop((
        container.own_address(80),
        secrets_of(container),
        container.state.health(),
        recipe_of(container),
    ));
    Ok(())
}

proptest! {
    #[test]
    fn containers(text in answers(container)) {
        match serde_json::from_str::<Vec<Container>>(&text) {
            Ok(found) => found.iter().try_for_each(use_all)?,
            Err(error) => prop_assert!(is_harmless(&unreadable(&error))),
        }
    }

    #[test]
    fn images(text in answers(image), word in texts()) {
        match serde_json::from_str::<Vec<Image>>(&text) {
            Ok(found) => for image in found {
                drop((image.digest_in(&word), image.is_for(&word), image.platform()));
                prop_assert!(image.label(&word).is_none() && image.age_key().len() < 10_000);
                prop_assert!(!image.exposed().contains(&0));
            },
            Err(error) => prop_assert!(is_harmless(&unreadable(&error))),
        }
    }
}
