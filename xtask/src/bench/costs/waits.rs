//! What waiting loses: between an app's health and the step that waits for it, and after a crash.

use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use stage::docker::{Scope, docker};
use stage::image::Image;
use stage::process::run_within;
use xshell::Shell;

use super::time::once;
use crate::bench::app::{APPS, SLOW};
use crate::bench::lab::{LIMIT, Lab, done, median, step};
use crate::bench::ways::OURS;
use crate::table::{Table, ms, texts};

/// Boots, in milliseconds.
const BOOTS: [u64; 4] = [0, 500, 5_000, 20_000];
/// The boot of [`SLOW`].
const SLOW_BOOT: Duration = Duration::from_secs(20);
/// The candidates of one boot are started so far apart, and then wait at the same time; as are whole deployments.
const APART: Duration = Duration::from_millis(500);
const DEPLOYMENTS_APART: Duration = Duration::from_millis(2300);

pub(super) fn measure(lab: &Lab<'_>) -> anyhow::Result<Table> {
    // First: an engine that was idle for the long boots below takes some 50 ms longer for a container's end.
    let lost: anyhow::Result<Vec<_>> = (0..lab.rounds).map(|_| crashed()).collect();
    let mut rows = vec![row("crashed, to probe-health's exit 32", &lost?)];
    for boot in BOOTS {
        let lost = in_turn(lab.rounds, APART, || healthy(boot))?;
        let what = format!(
            "healthy after a boot of {} s, to the end of probe-health",
            boot as f64 / 1000.0
        );
        rows.push(row(&what, &lost));
    }
    let (registry, rounds) = (lab.registry, lab.rounds);
    let deployments = [
        ("20 s, without its two boots", &SLOW, SLOW_BOOT * 2),
        ("0 s", &APPS[0], Duration::ZERO),
    ];
    for (boot, app, boots) in deployments {
        let lost = in_turn(rounds, DEPLOYMENTS_APART, || {
            // Of its own, as a shell is one thread's.
            let lab = Lab {
                sh: &Shell::new()?,
                registry,
                rounds,
            };
            Ok(once(&lab, &OURS, app)?.saturating_sub(boots))
        })?;
        rows.push(row(
            &format!("a deployment of an app that boots for {boot}"),
            &lost,
        ));
    }
    Ok(Table {
        caption: format!("What waiting loses, {} times each", lab.rounds),
        left: 1,
        head: texts(["from", "median, ms", "most, ms"]),
        rows,
    })
}

fn row(what: &str, lost: &[Duration]) -> Vec<String> {
    let most = lost.iter().max().copied().unwrap_or_default();
    vec![
        what.to_owned(),
        ms(median(lost)),
        ms(most.as_secs_f64() * 1000.0),
    ]
}

fn in_turn(
    times: u32,
    apart: Duration,
    one: impl Fn() -> anyhow::Result<Duration> + Sync,
) -> anyhow::Result<Vec<Duration>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..times)
            .map(|n| {
                thread::sleep(apart * n.min(1));
                scope.spawn(&one)
            })
            .collect();
        let ended = threads.into_iter().map(|it| it.join());
        ended
            .map(|it| it.unwrap_or_else(|_| anyhow::bail!("a measurement panicked")))
            .collect()
    })
}

/// From what the app says of itself to the end of the step.
fn healthy(boot: u64) -> anyhow::Result<Duration> {
    let scope = candidate(("BOOT_MS", boot))?;
    let from = SystemTime::now();
    done(&mut step("probe-health", &scope, &["--within", "60s"])?)?;
    let noticed = SystemTime::now();
    let mut logs = Command::new("docker");
    logs.args(["logs", "--timestamps", &scope.candidate()]);
    let said = run_within(&mut logs, None, LIMIT)?;
    let listens = stamp(said.stderr.split_whitespace().next())?;
    Ok(noticed
        .duration_since(listens.max(from))
        .unwrap_or_default())
}

/// From the end of its process, by the engine, to the end of the step.
fn crashed() -> anyhow::Result<Duration> {
    let scope = candidate(("CRASH_AFTER_MS", 1000))?;
    let words = ["--within", "20s", "--path", "/never"];
    let run = run_within(&mut step("probe-health", &scope, &words)?, None, LIMIT)?;
    let noticed = SystemTime::now();
    ensure!(
        run.code == 32,
        "probe-health did not see it crash: {}",
        run.stdout
    );
    let ended = docker([
        "inspect",
        "--format",
        "{{.State.FinishedAt}}",
        &scope.candidate(),
    ])?;
    Ok(noticed
        .duration_since(stamp(Some(&ended))?)
        .unwrap_or_default())
}

fn candidate((key, value): (&str, u64)) -> anyhow::Result<Scope> {
    let scope = Scope::new("wait");
    let image = format!("{}:v1", scope.app());
    Image::of(scope.app())
        .env(key, &value.to_string())
        .build(&image)?;
    let words = ["--image", &image, "--publish", "18080:8080"];
    done(&mut step("start-candidate", &scope, &words)?)?;
    Ok(scope)
}

fn stamp(text: Option<&str>) -> anyhow::Result<SystemTime> {
    Ok(humantime::parse_rfc3339(text.context("no time was told")?)?)
}
