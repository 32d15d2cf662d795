//! Many deployments, prunes and probes of the same and of other apps at once, in random order.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use stage::docker::docker;
use stage::effort;
use stage::image::Built;
use stage::load::Load;
use stage::process::Run;

use crate::bridge::has_rules;
use crate::support::{App, first_seed, ok};

const APPS: usize = 2;
/// The jobs of each app that work at the same time.
const JOBS: usize = 3;
const REQUESTS_PER_S: u32 = 50;

/// How often each step ended with each code.
type Codes = Mutex<BTreeMap<(&'static str, i32), usize>>;

#[test]
fn apps_on_which_many_jobs_work_at_once_answer_every_request_and_end_in_order() {
    let end = Instant::now() + Duration::from_secs(effort::of([20, 20, 180]));
    let apps: Vec<(App, [Built; 2])> = (0..APPS).map(|_| released()).collect();
    let loads: Vec<Load> = apps
        .iter()
        .map(|(app, _)| Load::start(app.addr(), "/", REQUESTS_PER_S))
        .collect();
    let codes = Codes::default();
    let first = first_seed();
    thread::scope(|scope| {
        for ((app, images), seed) in apps.iter().cycle().take(APPS * JOBS).zip(first..) {
            let (codes, random) = (&codes, Rng::with_seed(seed));
            scope.spawn(move || work(app, images, end, random, codes));
        }
    });
    let seen: Vec<_> = loads.into_iter().map(Load::stop).collect();
    let sent: usize = seen.iter().map(stage::load::Outcome::sent).sum();
    let codes = codes.into_inner().unwrap();
    // Seen whether or not the test passes.
    let _ = writeln!(
        io::stderr(),
        "crowd: seeds from {first}, {sent} requests, steps and their codes: {codes:?}"
    );
    for seen in seen {
        assert_eq!(seen.failed(), 0, "{:?}", seen.kinds());
    }
    assert!(
        codes[&("promote", 0)] > APPS,
        "hardly anything was deployed: {codes:?}"
    );
    for (app, images) in &apps {
        in_order(app, images);
    }
}

fn released() -> (App, [Built; 2]) {
    let app = App::new("crowd");
    let images = [app.build("v1"), app.build("v2")];
    app.deploy(&images[0], &[]);
    (app, images)
}

/// One job after another, each in its own order.
fn work(app: &App, images: &[Built; 2], end: Instant, mut random: Rng, codes: &Codes) {
    let publish = format!("{}:8080", app.port);
    while Instant::now() < end {
        let image = images[random.usize(..2)].name.as_str();
        if docker(["image", "inspect", image]).is_err() {
            // Pruned by another job.
            app.build(image.rsplit(':').next().unwrap());
        }
        let start = ["--image", image, "--publish", &publish, "--replace"];
        let steps: &[(&'static str, &[&str])] = match random.usize(..4) {
            0 => &[("prune-app", &["--keep", "0"])],
            1 => &[("probe-health", &["--timeout", "5s"])],
            _ => &[
                ("start-candidate", &start),
                ("probe-health", &["--timeout", "5s"]),
                ("promote", &[]),
            ],
        };
        for (step, flags) in steps {
            let run = app.step(step, flags);
            expected(step, &run);
            *codes.lock().unwrap().entry((step, run.code)).or_default() += 1;
            if run.code != 0 {
                break;
            }
        }
    }
}

/// Done, or kept from it by another job, which the code tells.
fn expected(step: &str, run: &Run) {
    let fine: &[i32] = match step {
        "start-candidate" => &[0, 20, 21, 24, 25],
        "probe-health" => &[0, 30, 31, 32],
        "promote" => &[0, 40, 45],
        _ => &[0],
    };
    assert!(fine.contains(&run.code), "{step}: {run:?}");
}

/// Nothing is left over, and the next deployment is like any other.
fn in_order(app: &App, images: &[Built; 2]) {
    let live = app.container("").expect("nothing is live");
    docker(["image", "inspect", live["Image"].as_str().unwrap()]).unwrap();
    let last = &images[1];
    let publish = format!("{}:8080", app.port);
    let again = app.tagged(&app.image("v3"), "v3");
    assert_ne!(again.id, last.id);
    let flags = ["--image", &again.name, "--publish", &publish, "--replace"];
    ok(&app.step("start-candidate", &flags));
    ok(&app.step("probe-health", &[]));
    ok(&app.promote(&[]));
    app.assert_live(&again);
    assert!(!has_rules(app));
    ok(&app.step("prune-app", &["--keep", "0"]));
}
