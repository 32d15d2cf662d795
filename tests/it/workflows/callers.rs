//! Who calls the workflow or the action: the workflow itself, and the examples on the pages.

use serde_json::Value;

use super::{PAGES, examples, yaml};

/// What is handed on under a name that nobody declares is lost without a word.
#[test]
fn whoever_calls_gives_what_is_declared_and_all_that_is_required() {
    let workflow = yaml(".github/workflows/deploy.yml");
    let call = &workflow["on"]["workflow_call"];
    let action = yaml(".github/actions/deploy/action.yml");
    let steps = workflow["jobs"]["deploy"]["steps"].as_array().unwrap();
    gives(&steps.last().unwrap()["with"], &action["inputs"]);
    let mut calls = 0;
    for page in PAGES {
        for example in examples(page) {
            let example: Value = serde_saphyr::from_str(&example).unwrap();
            for job in example["jobs"].as_object().unwrap().values() {
                if job["uses"].is_string() {
                    gives(&job["with"], &call["inputs"]);
                    gives(&job["secrets"], &call["secrets"]);
                    calls += 1;
                }
                for step in job["steps"].as_array().into_iter().flatten() {
                    if step["uses"].as_str().unwrap().contains("/actions/deploy@") {
                        gives(&step["with"], &action["inputs"]);
                        calls += 1;
                    }
                }
            }
        }
    }
    assert!(calls >= 3, "{calls}");
}

fn gives(given: &Value, declared: &Value) {
    let (given, declared) = (given.as_object().unwrap(), declared.as_object().unwrap());
    for name in given.keys() {
        assert!(declared.contains_key(name), "nobody declares {name}");
    }
    for (name, what) in declared {
        let needed = what["required"] == true;
        assert!(!needed || given.contains_key(name), "{name} is missing");
    }
}
