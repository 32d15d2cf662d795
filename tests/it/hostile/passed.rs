//! Words that are odd and allowed: they reach the engine whole, each as the one value it is.

use serde_json::{Value, json};

use super::Recorded;
use crate::support::{App, ok};

const ODD: [&str; 9] = [
    "two words",
    "two\nlines",
    "'single' \"double\"",
    "$(touch x) `touch x` ; touch x",
    "--privileged",
    "-v/:/host",
    "ünï\u{202e}code",
    "{{.ID}} %s \\n",
    "",
];

/// The one call of the engine that begins with this word.
fn only<'a>(calls: &'a [Vec<String>], verb: &str) -> &'a [String] {
    let found: Vec<_> = calls.iter().filter(|call| call[0] == verb).collect();
    assert_eq!(found.len(), 1, "{calls:?}");
    found[0]
}

fn env(candidate: &Value) -> &Vec<Value> {
    candidate["Config"]["Env"].as_array().unwrap()
}

#[test]
fn values_of_run_options_and_words_of_the_command() {
    let app = App::new("odd");
    let image = app.build("v1");
    for odd in ODD.into_iter().chain([&*"x".repeat(4096)]) {
        let value = format!("ODD={odd}");
        let (label, glued) = (format!("odd={odd}"), format!("--env=TWO={odd}"));
        let options = ["-e", &value, "--label", &label, &glued];
        let flags = [
            "--replace",
            "--app",
            app.name(),
            "--image",
            &image.name,
            "--",
        ];
        let words = [&flags[..], &options, &["--", odd, "-x"]].concat();
        let (run, calls) = Recorded::new("start-candidate", &words).run(None);
        ok(&run);

        let create = only(&calls, "create");
        let is_image = |word: &String| word.starts_with(&image.name);
        let id = create.iter().position(is_image).unwrap();
        // Values of variables stand beside the words.
        let named = ["--label", &label, "--env=ODD", "--env=TWO"];
        assert_eq!(create[id - named.len()..id], named);
        assert_eq!(create[id + 1..], [odd, "-x"]);
        let candidate = app.container("-new").unwrap();
        assert!(env(&candidate).contains(&json!(value)), "{candidate}");
        assert_eq!(candidate["Config"]["Labels"]["odd"], odd);
        assert_eq!(candidate["Config"]["Cmd"], json!([odd, "-x"]));
        assert_eq!(candidate["HostConfig"]["Privileged"], false);
    }
}

#[test]
fn odd_values_survive_a_promotion_word_by_word() {
    let app = App::new("survive");
    let image = app.build("v1");
    let values: Vec<String> = ODD
        .iter()
        .enumerate()
        .map(|(i, odd)| format!("O{i}={odd}"))
        .collect();
    let options: Vec<&str> = values.iter().flat_map(|value| ["-e", value]).collect();
    app.deploy(
        &image,
        &[&options[..], &["--", "--privileged", "a b"]].concat(),
    );
    let live = app.container("").unwrap();
    for value in &values {
        assert!(env(&live).contains(&json!(value)), "{value:?}: {live}");
    }
    assert_eq!(live["Config"]["Cmd"], json!(["--privileged", "a b"]));
    assert_eq!(live["HostConfig"]["Privileged"], false);
    app.assert_live(&image);
}

#[test]
fn paths_hosts_and_headers_of_the_probe() {
    let app = App::new("path");
    let image = app.build("v1");
    app.start(&image, &[]);
    let paths = [
        "/health?x=$(touch%20x)&y='z'",
        "/health?--privileged",
        "/health?a;touch|x&{{.ID}}",
        "/health#f",
    ];
    for path in paths {
        let flags = [
            "--app",
            app.name(),
            "--path",
            path,
            "--host",
            "$(x)'y'",
            "--within",
            "20s",
        ];
        let (run, calls) = Recorded::new("probe-health", &flags).run(None);
        ok(&run);
        let said = |call: &Vec<String>| call.iter().any(|word| word.contains("health?"));
        assert!(!calls.iter().any(said), "{calls:?}");
    }
}

#[test]
fn names_that_are_just_allowed() {
    let longest = "a".repeat(128);
    for name in ["0.", "5ca9-_.", "A--b", &longest, "null", "true", "all"] {
        let flags = ["--app", name, "--candidate", "--dry-run"];
        let (run, calls) = Recorded::new("prune-app", &flags).run(None);
        assert_eq!(ok(&run)["app"], name);
        for call in &calls {
            let bare = call
                .iter()
                .filter(|word| *word == "-" || *word == "--all-tags");
            assert_eq!(bare.count(), 0, "{call:?}");
        }
    }
}
