//! Three machines, and releases by all five steps on the first of them.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use stage::cargo::{self, STEPS};
use stage::image::Image;
use stage::swarm::{Front, Swarm};
use xshell::Shell;

use crate::bench::lab::done;
use crate::dist;
use crate::table::texts;

/// The machines' addresses are of `10.98.0.0/24`.
const NETWORK: u8 = 98;
pub(super) const APP: &str = "web";

/// Three machines, on the first of which everything is done.
pub(super) struct Trial {
    steps: PathBuf,
    pub(super) swarm: Swarm,
    releases: Cell<u32>,
    pub(super) rounds: u32,
}

impl Trial {
    pub(super) fn new(sh: &Shell, rounds: u32) -> anyhow::Result<Trial> {
        Ok(Trial {
            // Some of them run in containers of the nodes.
            steps: dist::programs(sh)?,
            swarm: Swarm::unjoined(NETWORK)?,
            releases: Cell::new(0),
            rounds,
        })
    }

    /// The first release of the service, and the proxy before it.
    pub(super) fn front(&self) -> anyhow::Result<Front> {
        let create = ["network", "create", "--driver=overlay", "--attachable", APP];
        self.swarm.docker(0, &create)?;
        let words = texts(["--", "--network", APP]);
        self.release(&words, &[], true)?;
        let image = self.image();
        let page = cargo::workspace().join("docs/outgrowing.md");
        let page = fs::read_to_string(page)?;
        let settings = page
            .split_once("```haproxy\n")
            .and_then(|(_, it)| it.split_once("```"));
        let (settings, _) = settings.context("the page has no settings for haproxy")?;
        Front::start(&self.swarm, 0, ("front", &image), APP, settings)
    }

    /// The newest release, as the nodes call it.
    pub(super) fn image(&self) -> String {
        format!(
            "{}/{APP}:v{}",
            self.swarm.others_registry(),
            self.releases.get()
        )
    }

    /// A new release by all five steps, and how long each of them took.
    pub(super) fn release(
        &self,
        start: &[String],
        promote: &[String],
        swarm: bool,
    ) -> anyhow::Result<[Duration; 5]> {
        self.releases.set(self.releases.get() + 1);
        let image = self.image();
        let here = image.replace(&self.swarm.others_registry(), self.swarm.registry());
        let recipe = Image::of(APP).version(&here).for_swarm();
        recipe.build(&here)?.push()?;
        let image = [image];
        let of_start = [&texts(["--image"])[..], &image, start].concat();
        let flags: [&[String]; 5] = [&image, &of_start, &[], promote, &[]];
        let mut took = [Duration::ZERO; 5];
        for ((name, flags), took) in STEPS.iter().zip(flags).zip(&mut took) {
            *took = self.step(name, flags, swarm)?;
        }
        Ok(took)
    }

    /// Runs a step on the first machine.
    fn step(&self, name: &str, flags: &[String], swarm: bool) -> anyhow::Result<Duration> {
        let mut step = Command::new("nsenter");
        step.args(self.swarm.way_to(0)?).arg("--");
        step.arg(self.steps.join(name));
        step.args(["--quiet", "--app", APP]).args(flags);
        step.env_remove("DOCKER_HOST");
        step.envs(swarm.then_some(("DEPLOY_STEPS_SWARM", "1")));
        let from = Instant::now();
        done(&mut step)?;
        Ok(from.elapsed())
    }
}
