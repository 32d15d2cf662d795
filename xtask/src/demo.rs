//! `cargo xtask demo`: good and bad releases of a real app under load, told as a short story.

mod picture;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use stage::cargo;
use stage::docker::Scope;
use stage::ground::{self, Ground};
use stage::image::Image;
use stage::registry::Registry;
use xshell::Shell;

use crate::exit;
use crate::flags::{self, Deploy, Pipeline, Rollback};
use crate::pipeline::Report;
use crate::swap::{CALM, RATE, Seen, under_load};
use picture::Picture;

impl flags::Demo {
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<ExitCode> {
        let ground = ground::prepare(self.install)?;
        if !ground::inside() {
            say("Building the steps and the demo app…")?;
        }
        cargo::steps()?;
        cargo::demo_app()?;
        if ground == Ground::Private {
            say("No engine answers, so a private one is started; it ends with the demo.")?;
            return exit::of_us_on_private_engine();
        }
        Story::begin(sh)?.tell()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The demo's parts; all are removed when it is dropped.
struct Story<'a> {
    sh: &'a Shell,
    scope: Scope,
    registry: Registry,
    address: SocketAddr,
}

impl<'a> Story<'a> {
    fn begin(sh: &'a Shell) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok(Self {
            sh,
            scope: Scope::new("demo"),
            registry: Registry::start()?,
            address,
        })
    }

    fn tell(&self) -> anyhow::Result<()> {
        say(&format!(
            "An app on port {}, and {RATE} requests a second to it, each over a new connection.\n",
            self.address.port()
        ))?;
        let first = self.deploy("v1", &[])?;
        ensure!(first.ok, "the first deployment failed: {first:?}");
        line(
            "v1",
            "first deployment",
            &format!("live after {}", seconds(first.took_ms)),
        )?;

        let mut picture = Picture::default();
        let (second, seen) = self.over("v2", &[])?;
        ensure!(second.ok, "the second deployment failed: {second:?}");
        line("v2", "deployed over it", &cost(&second, &seen))?;
        picture.add("v2 over v1", &second, &seen);

        for (version, what, env) in [
            ("v3", "is sick", "SICK"),
            ("v4", "crashes at its start", "CRASH"),
        ] {
            let (bad, seen) = self.over(version, &[(env, "1")])?;
            line(version, what, &refusal(&bad, &seen)?)?;
            picture.add(&format!("{version} {what}"), &bad, &seen);
        }

        let (back, seen) = self.under_load(|| self.roll_back())?;
        ensure!(back.ok, "the rollback failed: {back:?}");
        line("v1", "rolled back to", &cost(&back, &seen))?;
        picture.add("rollback to v1", &back, &seen);

        let kept = back
            .steps
            .last()
            .map_or(0, |pruned| pruned["kept"].as_array().map_or(0, Vec::len));
        line(
            "",
            "images left",
            &format!("{kept}: the live release's and the one it can go back to"),
        )?;
        say(&format!("\nA picture of it: {}", picture.leave()?))?;
        say("All of it is removed again. The same on your own app: cargo xtask deploy --help")
    }

    fn deploy(&self, version: &str, env: &[(&str, &str)]) -> anyhow::Result<Report> {
        self.release(version, env)?.report(self.sh)
    }

    fn over(&self, version: &str, env: &[(&str, &str)]) -> anyhow::Result<(Report, Seen)> {
        let release = self.release(version, env)?;
        self.under_load(|| release.report(self.sh))
    }

    /// Builds and pushes it, ready to be deployed.
    fn release(&self, version: &str, env: &[(&str, &str)]) -> anyhow::Result<Deploy> {
        let app = self.scope.app();
        let name = format!("{}/{app}:{version}", self.registry.host());
        let mut image = Image::of(app).version(version);
        for (key, value) in env {
            image = image.env(key, value);
        }
        image.build(&name)?.push()?;
        Ok(Deploy {
            image: name,
            pipeline: Pipeline {
                publish: vec![format!("{}:8080", self.address.port())],
                within: Some("5s".to_owned()),
                ..Pipeline::of_trial(app)
            },
            rest: Vec::new(),
        })
    }

    fn roll_back(&self) -> anyhow::Result<Report> {
        Rollback {
            pipeline: Pipeline::of_trial(self.scope.app()),
        }
        .report(self.sh)
    }

    fn under_load(
        &self,
        deed: impl FnOnce() -> anyhow::Result<Report>,
    ) -> anyhow::Result<(Report, Seen)> {
        under_load(self.address, self.scope.app(), CALM, deed)
    }
}

/// What a successful deployment cost its clients.
fn cost(report: &Report, seen: &Seen) -> String {
    let (live, seen) = (seconds(report.took_ms), &seen.outcome);
    let gap = seen.longest_gap_ms();
    format!(
        "live after {live}; {} requests, {} failed, longest gap {gap:.0} ms",
        seen.sent(),
        seen.failed()
    )
}

/// Why a bad release was refused, and that nobody noticed.
fn refusal(report: &Report, seen: &Seen) -> anyhow::Result<String> {
    let step = report.failed_step.context("a bad release went live")?;
    let seen = &seen.outcome;
    let (sent, failed, versions) = (seen.sent(), seen.failed(), seen.versions().join(", "));
    let code = report.exit_code;
    Ok(format!(
        "refused by {step} (exit {code}) after {}; {versions} answered, {failed} of {sent} requests failed",
        seconds(report.took_ms)
    ))
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn line(version: &str, what: &str, how: &str) -> anyhow::Result<()> {
    say(&format!("  {version:<3} {what:<21} {how}"))
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}
