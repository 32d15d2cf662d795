//! Recipes survive the label that carries them; any other label is no recipe, or one that can be used.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{junk, replaced, texts};
use crate::engine::container::Container;
use crate::model::port::{Protocol, Publish};
use crate::model::probe::Probe;
use crate::ownership::marks::{MadeAs, Marks};
use crate::recipe::values::Source;
use crate::recipe::{Previous, Recipe};

fn probes() -> impl Strategy<Value = Probe> {
    let texts = (
        prop::option::of("/[a-z?=]{0,9}"),
        prop::option::of("[a-z.]{1,9}"),
        prop::option::of(texts()),
    );
    let flags = any::<[bool; 4]>();
    (
        texts,
        flags,
        prop::option::of(1..u16::MAX),
        prop::collection::vec("[a-z][a-z-]{0,4}", 0..4),
    )
        .prop_map(
            |((path, host, expect_body), [https, insecure, tcp, docker_health], port, exec)| {
                Probe {
                    port,
                    path,
                    host,
                    https,
                    insecure,
                    expect_status: None,
                    expect_body,
                    tcp,
                    exec,
                    docker_health,
                }
            },
        )
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let words = || prop::collection::vec(texts(), 0..4);
    let publish = (any::<Option<std::net::IpAddr>>(), 1..u16::MAX, 1..u16::MAX);
    let publish = publish.prop_map(|(address, host, container)| Publish {
        address,
        host,
        container,
        protocol: if container % 5 == 0 {
            Protocol::Udp
        } else {
            Protocol::Tcp
        },
    });
    let publish = prop::collection::vec(publish, 0..3);
    (
        words(),
        words(),
        texts(),
        publish,
        probes(),
        any::<Option<u64>>(),
    )
        .prop_map(|(options, command, folder, publish, probe, deploy_id)| {
            Recipe {
                image: "web:v1".parse().unwrap(),
                image_id: format!("sha256:{}", "8".repeat(64)).parse().unwrap(),
                digest: None,
                publish: publish
                    .into_iter()
                    .map(|one| one.to_string().parse().unwrap())
                    .collect(),
                options,
                values: BTreeMap::default(),
                command,
                folder,
                probe,
                deploy_id,
            }
            .without_values()
        })
}

/// What a container of this recipe says.
pub(super) fn marks(recipe: Recipe) -> Marks {
    let web = "web".parse().unwrap();
    Marks::new(&web, &web, MadeAs::Final, recipe)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn whole() -> Value {
    json!({"image": "web", "image_id": "web", "publish": ["80:80"], "options": ["-e", "A=b"], "folder": "/", "deploy_id": 7,
        "probe": {"port": 80, "path": "/up", "host": "web", "exec": ["x"], "expect_status": "200-299"}})
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(recipe in recipes()) {
        prop_assert_eq!(serde_json::from_str::<Recipe>(&json(&recipe)).unwrap(), recipe.clone());
        let previous = Previous { image: "web".into(), image_id: "web".into(), recipe: Some(recipe), condition: crate::recipe::Condition::Sick };
        prop_assert_eq!(serde_json::from_str::<Previous>(&json(&previous)).unwrap(), previous);
    }

    #[test]
    fn labels_are_believed_on_the_image_that_their_recipe_names_and_on_no_other(recipe in recipes(), replaces in prop::option::of("[0-9a-f]{64}")) {
        let (image, other) = (recipe.image_id.to_string(), format!("sha256:{}", "9".repeat(64)));
        let marks = Marks { replaces, ..marks(recipe) };
        let labels = marks.labels();
        let labels = labels.iter().map(|it| it.split_once('=').unwrap());
        let labels: Value = labels.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let on = |image: &str| -> Container {
            let it = json!({"Id": "", "Name": "web", "Image": image, "State": {}, "Config": {"Labels": labels}, "HostConfig": {}, "NetworkSettings": {}});
            serde_json::from_value(it).unwrap()
        };
        prop_assert_eq!(Marks::of(&on(&image)), Some(marks));
        prop_assert_eq!(Marks::of(&on(&other)), None);
    }

    #[test]
    fn a_label_of_somebody_else_is_no_recipe_or_a_whole_one(at in any::<prop::sample::Index>(), by in junk()) {
        let label = replaced(whole(), at, by).to_string();
        if let Ok(recipe) = serde_json::from_str::<Recipe>(&label) {
            prop_assert_eq!(serde_json::from_str::<Recipe>(&json(&recipe)).unwrap(), recipe.clone());
            prop_assert_eq!(recipe.probe.check(), Ok(()));
        }
    }
}

#[test]
fn a_recipe_of_an_earlier_version_loses_its_values() {
    let old = Recipe {
        options: ["-e", "A=hunter2", "-m", "1g"].map(str::to_owned).to_vec(),
        ..Recipe::default()
    };
    let label = marks(old.clone()).labels().join("\n");
    assert!(
        !label.contains("hunter2") && label.contains("-m"),
        "{label}"
    );
    assert_eq!(old.without_values().values["A"], Source::Given);
}
