//! What a deployment asks of the engine and of nft: each costs more than what it is asked for.

use std::collections::BTreeMap;
use std::env;
use std::fs;

use tests::cargo;
use tests::docker::docker;
use tests::registry;
use tests::stage::{ENGINE, on_podman};
use tests::steps::run;

use crate::support::{App, ok, path_with_faulty_nft};

/// A deployment over a live release, each step's calls counted by their first words.
struct Counted {
    app: App,
    folder: tempfile::TempDir,
    path: String,
}

impl Counted {
    fn new() -> Counted {
        let (folder, path) = path_with_faulty_nft();
        Counted {
            app: App::new("calls"),
            folder,
            path,
        }
    }

    fn step(&self, name: &str, flags: &[&str]) -> BTreeMap<String, usize> {
        let record = self.folder.path().join(name);
        let mut command = self.app.command(name, flags);
        command
            .arg("--docker")
            .arg(cargo::steps().unwrap().join("faulty-docker"))
            .env("PATH", &self.path)
            .env("FAULT_CALLS", &record)
            .env("FAULT_AT", "0");
        ok(&run(command, None).unwrap());
        let mut counts = BTreeMap::new();
        for line in fs::read_to_string(&record).unwrap().lines() {
            *counts.entry(kind(line)).or_default() += 1;
        }
        counts
    }
}

/// `docker container inspect`, `docker stop`, `nft`: no more of the words.
fn kind(line: &str) -> String {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    match first {
        "nft" => "nft".to_owned(),
        "container" | "image" => format!("docker {first} {}", words.next().unwrap_or_default()),
        _ => format!("docker {first}"),
    }
}

fn expected(calls: &[(&str, usize)]) -> BTreeMap<String, usize> {
    let calls = calls.iter().map(|(kind, n)| ((*kind).to_owned(), *n));
    calls.collect()
}

/// A whole deployment; each step's calls.
fn deployed(counted: &Counted) -> [BTreeMap<String, usize>; 5] {
    let app = &counted.app;
    let host = registry::shared().unwrap().host();
    let name = |version: &str| format!("{host}/{}:{version}", app.name());
    let [v0, v1, v2] = ["v0", "v1", "v2"].map(|version| {
        let built = app.image(version).build(&name(version)).unwrap();
        built.push().unwrap();
        built
    });
    app.deploy(&v0, &[]);
    app.deploy(&v1, &[]);
    docker(["image", "rm", &v2.name]).unwrap();

    let publish = format!("{}:8080", app.port);
    let start = ["--image", &v2.name, "--publish", &publish, "--replace"];
    let pulled = counted.step("pull-image", &[&v2.name]);
    let started = counted.step("start-candidate", &start);
    let probed = counted.step("probe-health", &[]);
    let promoted = counted.step("promote", &["--bridge", "require"]);
    let pruned = counted.step("prune-app", &["--keep", "0"]);
    app.assert_live(&v2);
    [pulled, started, probed, promoted, pruned]
}

/// What they may be, where prune-app asks about all containers in so many batches.
fn allowed(batches: usize) -> [BTreeMap<String, usize>; 5] {
    // Podman is asked whether it changes a restart policy and where callers look for the name, and removes one by one.
    let more = usize::from(on_podman());
    // Podman 4 gives a policy at the creation only, so that the container is made again.
    let again = usize::from(env::var(ENGINE).is_ok_and(|name| name.starts_with("podman@4")));
    [
        expected(&[
            ("docker image inspect", 2),
            ("docker info", 1),
            ("docker pull", 1),
        ]),
        expected(&[
            ("docker container inspect", 2),
            ("docker create", 1),
            ("docker image inspect", 1),
            ("docker start", 1),
        ]),
        expected(&[("docker container inspect", 1)]),
        expected(&[
            ("docker container inspect", 3 + more + again),
            ("docker create", 1 + again),
            ("docker rename", 2),
            ("docker rm", 2 + more + again),
            ("docker start", 1),
            ("docker stop", 1),
            ("docker update", 1 + more),
            ("nft", 5),
        ]),
        expected(&[
            ("docker container inspect", batches),
            ("docker image inspect", 1),
            ("docker image ls", 1),
            ("docker image rm", 1),
            ("docker ps", 1),
            ("nft", 1),
        ]),
    ]
}

#[test]
fn a_deployment_asks_no_more_of_the_engine_and_of_nft_than_this() {
    assert_eq!(deployed(&Counted::new()), allowed(1));
}

#[test]
fn other_containers_and_images_on_the_engine_cost_one_call_for_each_two_hundred() {
    let counted = Counted::new();
    let app = &counted.app;
    let image = format!("{}-other:v1", app.name());
    app.scope.at_end(["image", "rm", "--force", &image]);
    app.image("other").unlabelled().build(&image).unwrap();
    let label = format!("label=beside={}", app.name());
    let beside = ["container", "prune", "--force", "--filter", &label];
    app.scope.at_end(beside);
    for _ in 0..210 {
        docker(["create", &format!("--{label}"), &image]).unwrap();
    }
    assert_eq!(deployed(&counted), allowed(2));
}
