//! What a deployment asks of the engine and of nft: each costs more than what it is asked for.

use std::collections::BTreeMap;
use std::env;
use std::fs;

use stage::cargo;
use stage::docker::docker;
use stage::ground::{ENGINE, on_podman};
use stage::registry;
use stage::relay::Relay;
use stage::steps::run;

use crate::support::{App, ok, path_with_faulty_nft};

/// A deployment over a live release, each step's calls counted by their first words.
struct Counted {
    app: App,
    folder: tempfile::TempDir,
    path: String,
    /// Where the engine's socket may be asked.
    relay: Option<Relay>,
}

impl Counted {
    /// All by the CLI, as it is named.
    fn new() -> Counted {
        let (folder, path) = path_with_faulty_nft();
        Counted {
            app: App::new("calls"),
            folder,
            path,
            relay: None,
        }
    }

    /// With a `docker` that nobody names, and which is no script.
    fn by_socket() -> Counted {
        let counted = Counted::new();
        let shim = cargo::steps().unwrap().join("faulty-docker");
        fs::copy(shim, counted.folder.path().join("docker")).unwrap();
        Counted {
            relay: Some(Relay::start().unwrap()),
            ..counted
        }
    }

    fn step(&self, name: &str, flags: &[&str]) -> BTreeMap<String, usize> {
        let record = self.folder.path().join(name);
        let mut command = self.app.command(name, flags);
        if let Some(relay) = &self.relay {
            relay.expect("", 0);
            command.env("DOCKER_HOST", relay.host());
        } else {
            command
                .arg("--docker")
                .arg(cargo::steps().unwrap().join("faulty-docker"));
        }
        command
            .env("PATH", &self.path)
            .env("DEPLOY_STEPS_FAULT_CALLS", &record)
            .env("DEPLOY_STEPS_FAULT_AT", "0");
        ok(&run(command, None).unwrap());
        let mut counts = BTreeMap::new();
        let calls = fs::read_to_string(&record).unwrap_or_default();
        let requests = self.relay.iter().flat_map(Relay::seen);
        let requests = requests.map(|line| request(&line));
        for kind in calls.lines().map(kind).chain(requests) {
            *counts.entry(kind).or_default() += 1;
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

/// `POST containers start` of `POST /containers/ID/start?x=y`.
fn request(line: &str) -> String {
    let (method, path) = line.split_once(' ').unwrap_or_default();
    let words = path.split('?').next().unwrap_or_default().split('/');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let verb = words[1..].last().filter(|_| method != "DELETE");
    let words = words[..1].iter().chain(verb);
    words.fold(method.to_owned(), |all, word| format!("{all} {word}"))
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
    // Podman is asked whether it changes a restart policy and where callers look for the name.
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
            ("docker container inspect", 2 + batches),
            ("docker create", 1),
            ("docker image inspect", 1),
            ("docker ps", 1),
            ("docker start", 1),
        ]),
        expected(&[("docker container inspect", 1)]),
        expected(&[
            ("docker container inspect", 3 + more + again),
            ("docker create", 1 + again),
            ("docker rename", 2),
            ("docker rm", 2 + again),
            ("docker start", 1),
            ("docker stop", 2),
            ("docker update", 1 + more),
            ("docker network", 2),
            ("nft", 8),
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
fn at_the_engines_socket_only_a_pull_and_what_is_created_start_a_cli() {
    let [pulled, started, probed, promoted, pruned] = deployed(&Counted::by_socket());
    if on_podman() {
        // What is called docker may be Docker's own: then it is greeted, and does not answer as an engine of Docker's.
        let ungreeted = |mut counts: BTreeMap<String, usize>| {
            counts.remove("GET _ping");
            counts
        };
        let all = [pulled, started, probed, promoted, pruned].map(ungreeted);
        assert_eq!(all, allowed(1));
        return;
    }
    let rest = [
        expected(&[
            ("GET _ping", 1),
            ("GET containers json", 1),
            ("GET images json", 2),
            ("docker pull", 1),
        ]),
        expected(&[
            ("GET _ping", 1),
            ("GET containers json", 8),
            ("GET images json", 1),
            ("POST containers start", 1),
            ("docker create", 1),
        ]),
        expected(&[("GET _ping", 1), ("GET containers json", 1)]),
        expected(&[
            ("DELETE containers", 2),
            ("GET _ping", 1),
            ("GET containers json", 6),
            ("POST containers rename", 2),
            ("POST containers start", 1),
            ("POST containers stop", 2),
            ("POST containers update", 1),
            ("docker create", 1),
            ("GET networks", 1),
            ("nft", 8),
        ]),
        expected(&[
            ("GET _ping", 1),
            ("GET containers json", 1),
            ("GET images json", 4),
            ("docker image rm", 1),
            ("nft", 1),
        ]),
    ];
    assert_eq!([pulled, started, probed, promoted, pruned], rest);
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
