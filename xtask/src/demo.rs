//! `cargo xtask demo`: good and bad releases of a real app under load, told as a short story.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use tests::cargo;
use tests::docker::Scope;
use tests::image::Image;
use tests::load::{Load, Outcome};
use tests::registry::Registry;
use tests::stage::{self, Ground};
use xshell::Shell;

use crate::flags::{self, Deploy, Pipeline, Rollback};
use crate::pipeline::Report;

/// Requests a second, each over a new connection.
const RATE: u32 = 300;
/// How long the load goes on before and after each deployment.
const CALM: Duration = Duration::from_millis(500);

impl flags::Demo {
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<ExitCode> {
        let ground = stage::prepare(self.install)?;
        if !stage::inside() {
            say("Building the steps and the demo app…")?;
        }
        cargo::steps()?;
        cargo::demo_app()?;
        if ground == Ground::Private {
            say("No engine answers, so a private one is started; it ends with the demo.")?;
            // This very program, whatever cargo has put in its place meanwhile.
            let argv = ["/proc/self/exe", "demo"].map(OsString::from);
            return Ok(ExitCode::from(crate::code(stage::run(&argv, false)?)));
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
        let (first, _) = self.deploy("v1", &[], false)?;
        ensure!(first.ok, "the first deployment failed: {first:?}");
        line(
            "v1",
            "first deployment",
            &format!("live after {}", seconds(first.took_ms)),
        )?;

        let (second, seen) = self.deploy("v2", &[], true)?;
        ensure!(second.ok, "the second deployment failed: {second:?}");
        line("v2", "deployed over it", &cost(&second, seen.as_ref()))?;

        let (sick, seen) = self.deploy("v3", &[("SICK", "1")], true)?;
        line("v3", "is sick", &refusal(&sick, seen.as_ref())?)?;
        let (crash, seen) = self.deploy("v4", &[("CRASH", "1")], true)?;
        line(
            "v4",
            "crashes at its start",
            &refusal(&crash, seen.as_ref())?,
        )?;

        let back = self.under_load(|| self.roll_back())?;
        ensure!(back.0.ok, "the rollback failed: {:?}", back.0);
        line("v1", "rolled back to", &cost(&back.0, Some(&back.1)))?;

        let kept = back
            .0
            .steps
            .last()
            .map_or(0, |pruned| pruned["kept"].as_array().map_or(0, Vec::len));
        line(
            "",
            "images left",
            &format!("{kept}: the live release's and the one it can go back to"),
        )?;
        say("\nAll of it is removed again. The same on your own app: cargo xtask deploy --help")
    }

    fn deploy(
        &self,
        version: &str,
        env: &[(&str, &str)],
        load: bool,
    ) -> anyhow::Result<(Report, Option<Outcome>)> {
        let app = self.scope.app();
        let name = format!("{}/{app}:{version}", self.registry.host());
        let mut image = Image::of(app).version(version);
        for (key, value) in env {
            image = image.env(key, value);
        }
        image.build(&name)?.push()?;
        let deploy = Deploy {
            image: name,
            pipeline: Pipeline {
                publish: vec![format!("{}:8080", self.address.port())],
                within: Some("5s".to_owned()),
                ..self.pipeline()
            },
            expect_digest: None,
            platform: None,
            pull_attempts: None,
            pull_timeout: None,
            min_free: Some("100MiB".to_owned()),
            allow_unlabelled: false,
            rest: Vec::new(),
        };
        if load {
            let (report, seen) = self.under_load(|| deploy.report(self.sh))?;
            return Ok((report, Some(seen)));
        }
        Ok((deploy.report(self.sh)?, None))
    }

    fn roll_back(&self) -> anyhow::Result<Report> {
        Rollback {
            pipeline: self.pipeline(),
        }
        .report(self.sh)
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline {
            app: self.scope.app().to_owned(),
            keep: Some("0".to_owned()),
            quiet: true,
            sealed: true,
            ..Pipeline::default()
        }
    }

    fn under_load(
        &self,
        deed: impl FnOnce() -> anyhow::Result<Report>,
    ) -> anyhow::Result<(Report, Outcome)> {
        let load = Load::start(self.address, "/", RATE);
        thread::sleep(CALM);
        let report = deed()?;
        thread::sleep(CALM);
        Ok((report, load.stop()))
    }
}

/// What a successful deployment cost its clients.
fn cost(report: &Report, seen: Option<&Outcome>) -> String {
    let live = format!("live after {}", seconds(report.took_ms));
    let Some(seen) = seen else {
        return live;
    };
    let gap = seen.longest_gap_ms();
    format!(
        "{live}; {} requests, {} failed, longest gap {gap:.0} ms",
        seen.sent(),
        seen.failed()
    )
}

/// Why a bad release was refused, and that nobody noticed.
fn refusal(report: &Report, seen: Option<&Outcome>) -> anyhow::Result<String> {
    let step = report.failed_step.context("a bad release went live")?;
    let seen = seen.context("nothing was measured")?;
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
