//! The choice of an engine: `--engine` and `--engine-flag` of `cargo xtask test` and `stage`.

use stage::ground::Engine;
use stage::process::Run;
use stage::steps;

use crate::support::asks_docker;

fn xtask(words: &[&str]) -> Run {
    let mut xtask = steps::step("xtask").unwrap();
    xtask.args(words);
    steps::run(xtask, None).unwrap()
}

#[test]
fn an_unknown_engine_is_a_usage_error_that_lists_the_known_ones() {
    for task in ["test", "stage"] {
        let run = xtask(&[task, "--engine", "docker@1", "--", "true"]);
        assert_eq!((run.code, &*run.stdout), (2, ""), "{run:?}");
        assert!(run.stderr.contains(&Engine::names().join(", ")), "{run:?}");
    }
}

#[test]
fn a_flag_for_no_engine_is_a_usage_error() {
    let run = xtask(&["stage", "--engine-flag=--debug", "--", "true"]);
    assert_eq!((run.code, &*run.stdout), (2, ""), "{run:?}");
    assert!(run.stderr.contains("--engine <NAME>"), "{run:?}");
}

#[test]
fn an_engine_that_is_asked_for_is_private_and_has_its_flags_even_where_one_answers() {
    asks_docker();
    let flag = "--engine-flag=--label=chosen=yes";
    let ask = ["docker", "info", "--format", "{{json .Labels}}"];
    let run = xtask(&[&["stage", "--engine", "docker", flag, "--"], &ask[..]].concat());
    assert_eq!(
        (run.code, &*run.stdout),
        (0, "[\"chosen=yes\"]\n"),
        "{run:?}"
    );
}

#[test]
fn an_engine_that_does_not_start_is_an_error() {
    let run = xtask(&[
        "stage",
        "--engine",
        "docker",
        "--engine-flag=--nonsense",
        "--",
        "true",
    ]);
    assert_eq!((run.code, &*run.stdout), (1, ""), "{run:?}");
    assert!(run.stderr.contains("the engine ended at once"), "{run:?}");
}
