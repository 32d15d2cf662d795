//! The published JSON Schemas, and real reports held against them.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::Value;
use stage::docker::{Scope, docker};
use stage::image::Image;
use stage::marks::Marks;

use super::{STEPS, asked, chain, failed, pushed, ready, step, workspace_file};

fn published(name: &str) -> Value {
    serde_json::from_str(&workspace_file(&format!("{name}/schema.json"))).unwrap()
}

/// The keys that a schema describes, at any depth.
fn described(schema: &Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        Value::Object(map) => map.values().for_each(|value| described(value, keys)),
        Value::Array(list) => list.iter().for_each(|value| described(value, keys)),
        _ => {}
    }
}

fn assert_valid(name: &str, report: &Value) {
    let schema = published(name);
    let validator: Validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{report}");
    let mut keys = BTreeSet::new();
    described(&schema, &mut keys);
    let unknown: Vec<&String> = report
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| !keys.contains(*key))
        .collect();
    assert!(unknown.is_empty(), "{name} does not describe {unknown:?}");
}

#[test]
fn the_published_schemas_are_the_steps_own() {
    for (name, _) in STEPS {
        let mut command = step(name).unwrap();
        // What is set for other steps is no hindrance.
        command.arg("--schema").env("CONTAINER_NAME", "web");
        let run = asked(command);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}");
        assert_eq!(
            run.json().unwrap(),
            published(name),
            "regenerate it: cargo run -q -p {name} -- --schema | python3 -m json.tool > {name}/schema.json"
        );
    }
}

#[test]
fn a_published_schema_says_what_it_is_and_is_a_schema_itself() {
    for (name, _) in STEPS {
        let schema = published(name);
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        assert_eq!(schema["$id"], format!("urn:deploy-steps:report:{name}"));
        let text = schema.to_string();
        assert_eq!(text.matches("\"$schema\"").count(), 1, "{name}");
    }
}

#[test]
fn a_schema_refuses_what_is_no_report() {
    for (name, _) in STEPS {
        let schema = published(name);
        let validator = jsonschema::validator_for(&schema).unwrap();
        for wrong in [
            serde_json::json!({}),
            serde_json::json!({"step": name, "ok": false, "took_ms": 1}),
            serde_json::json!({"step": name, "ok": "yes", "took_ms": 1}),
        ] {
            assert!(!validator.is_valid(&wrong), "{name}: {wrong}");
        }
    }
}

#[test]
fn successful_reports_are_as_published() {
    let scope = Scope::new("schema");
    let image = pushed(&scope);
    // Twice, so that the second one replaces and prunes something.
    for _ in 0..2 {
        for ((name, _), report) in STEPS.iter().zip(chain(&scope, &image)) {
            assert_valid(name, &report);
        }
    }
}

#[test]
fn failed_reports_are_as_published() {
    let scope = Scope::new("schemafail");
    for (name, code, kind) in [
        ("pull-image", 12, "registry_unreachable"),
        ("start-candidate", 20, "image_absent"),
        ("probe-health", 31, "no_container"),
        ("promote", 40, "no_candidate"),
    ] {
        let mut command = ready(name, scope.app());
        if name == "pull-image" {
            command.args(["--attempts", "1"]);
        }
        assert_valid(name, &failed(&asked(command), code, kind));
    }
}

#[test]
fn failed_reports_with_evidence_are_as_published() {
    let scope = Scope::new("evidence");
    let tag = format!("{}:v1", scope.app());
    Image::of(scope.app())
        .env("CRASH", "1")
        .build(&tag)
        .unwrap();
    let marks = Marks::candidate(scope.app(), &tag).unwrap();
    let old = format!("{}-old", scope.app());
    let replaced = docker(["create", "--name", &old, &tag]).unwrap();
    let marks = marks.replaces(&replaced);
    marks.run(&scope.candidate(), &[&tag]).unwrap();
    let crashed = asked(ready("probe-health", scope.app()));
    assert_valid("probe-health", &failed(&crashed, 32, "crashed"));

    let mut prune = ready("prune-app", scope.app());
    prune.arg("--candidate");
    assert_valid("prune-app", &failed(&asked(prune), 50, "not_removed"));
}
