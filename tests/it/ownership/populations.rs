//! Random engines: containers of all kinds under an app's four names, and every step. What is not the app's stays.

use std::io::Write;

use fastrand::Rng;
use serde_json::Value;
use stage::docker::docker;
use stage::effort;
use stage::image::Built;
use stage::marks::Marks;

use super::{as_it_is, every_step};
use crate::support::{App, first_seed};

/// How a container came to be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    ByHand,
    /// By hand, from an image with the labels of a candidate of this app.
    Committed,
    AnothersFinal,
    AnothersCandidate,
}

struct World {
    app: App,
    other: App,
    v1: Built,
    v2: Built,
    committed: Built,
}

impl World {
    fn new() -> World {
        let (app, other) = (App::new("crowd"), App::new("others"));
        let (v1, v2) = (app.build("v1"), app.build("v2"));
        let marks = Marks::candidate(app.name(), &v1.name).unwrap().options();
        let labels = marks.iter().map(|it| it.trim_start_matches("--label="));
        let labelled = labels.fold(app.image("v3"), |image, label| {
            let (name, value) = label.split_once('=').unwrap();
            image.change(&format!("LABEL {name}=\"{}\"", value.replace('"', "\\\"")))
        });
        let committed = app.tagged(&labelled, "v3");
        World {
            app,
            other,
            v1,
            v2,
            committed,
        }
    }

    /// Makes a container as `kind` has it, in a random state, with a volume of its own now and then.
    fn make(&self, rng: &mut Rng, kind: Kind, name: &str) {
        let image = match kind {
            Kind::Committed => &self.committed,
            _ => &self.v1,
        };
        let others = || Marks::candidate(self.other.name(), &self.v1.name).unwrap();
        let marks = match kind {
            Kind::ByHand | Kind::Committed => Vec::new(),
            Kind::AnothersFinal => others().of(name).made_final().options(),
            Kind::AnothersCandidate => others().of(self.other.name()).options(),
        };
        let call = if rng.u8(0..4) == 0 { "create" } else { "run" };
        let mut words = vec![call, "--name", name];
        words.extend((call == "run").then_some("-d"));
        words.extend(marks.iter().map(String::as_str));
        if rng.bool() {
            words.extend(["-v", "/data"]);
        }
        words.push(&image.name);
        docker(words).unwrap();
        if call == "run" && rng.u8(0..4) == 0 {
            docker(["kill", name]).unwrap();
        }
    }
}

/// One population: which names are taken, by what; every step twice; the others' containers as they were.
fn population(world: &World, rng: &mut Rng) -> bool {
    let name = |end: &str| format!("{}{end}", world.app.name());
    let kinds = [
        Kind::ByHand,
        Kind::Committed,
        Kind::AnothersFinal,
        Kind::AnothersCandidate,
    ];
    let mut others: Vec<(String, Kind)> = Vec::new();
    for end in ["", "-new", "-next", "-old"] {
        let kind = *rng.choice(&kinds).unwrap();
        // Under the live name a person's container is taken over: that one may change.
        let is_takeover = end.is_empty() && matches!(kind, Kind::ByHand | Kind::Committed);
        if rng.u8(0..5) < 2 {
            world.make(rng, kind, &name(end));
            if !is_takeover {
                others.push((name(end), kind));
            }
        }
    }
    let before: Vec<Value> = others.iter().map(|(name, _)| as_it_is(name)).collect();
    for _ in 0..2 {
        for run in every_step(&world.app, &world.v2) {
            assert!(others.is_empty() == (run.code != 9), "{others:?}: {run:?}");
        }
    }
    let after: Vec<Value> = others.iter().map(|(name, _)| as_it_is(name)).collect();
    assert_eq!(before, after, "{others:?}");
    for end in ["", "-new", "-next", "-old"] {
        docker(["rm", "-f", "-v", &name(end)]).ok();
    }
    !others.is_empty()
}

#[test]
fn nothing_that_is_not_the_apps_changes_in_any_population() {
    let world = World::new();
    let (first, count) = (first_seed(), effort::of([5, 10, 200]));
    let mut with_others = 0;
    for seed in first..first + count {
        writeln!(std::io::stderr(), "population of FIRST_SEED={seed}").unwrap();
        with_others += usize::from(population(&world, &mut Rng::with_seed(seed)));
    }
    writeln!(
        std::io::stderr(),
        "{count} populations, {with_others} with containers of others"
    )
    .unwrap();
    assert!(with_others > 0);
}
