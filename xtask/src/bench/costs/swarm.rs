//! The same pipeline on one VM and on a swarm, by nodes and tasks: how long it takes, and what clients lose.

mod trial;

use std::thread;
use std::time::Duration;

use stage::cargo::STEPS;
use stage::clients::RemoteLoad;
use stage::load::Outcome;
use stage::swarm::{Front, RATE};

use crate::bench::lab::{Lab, has, median};
use crate::table::{Table, ms, seconds, texts, thousands};
use trial::Trial;

/// Nodes and tasks of each measurement; nodes are only ever added.
const SWARMS: [(usize, usize); 4] = [(1, 1), (1, 3), (3, 3), (3, 6)];
const HEAD: [&str; 9] = [
    "where",
    "pull",
    "start",
    "probe",
    "promote",
    "prune",
    "whole",
    "failed of sent",
    "slowest, ms",
];

/// What one release took, step by step, and what its clients saw.
struct Release {
    steps: [Duration; 5],
    seen: Outcome,
}

pub(super) fn measure(lab: &Lab<'_>, left_out: &mut Vec<String>) -> anyhow::Result<Option<Table>> {
    if !has("haproxy", "the swarm", left_out) {
        return Ok(None);
    }
    let trial = Trial::new(lab.sh, lab.rounds.min(3))?;
    let mut rows = vec![trial.one_vm()?];
    trial.swarm.init(0)?;
    let front = trial.front()?;
    for (nodes, tasks) in SWARMS {
        rows.push(trial.on_swarm(&front, nodes, tasks)?);
    }
    Ok(Some(Table {
        caption: format!(
            "One pipeline on one VM and on a swarm, {} times each, medians in seconds; on a swarm promote watches for 5 s",
            trial.rounds
        ),
        left: 1,
        head: texts(HEAD),
        rows,
    }))
}

impl Trial {
    fn one_vm(&self) -> anyhow::Result<Vec<String>> {
        let publish = texts(["--publish", "80:8080"]);
        self.release(&publish, &[], false)?;
        let way = self.swarm.way_to(1)?;
        let way: Vec<&str> = way.iter().map(String::as_str).collect();
        let target = format!("{}:80", self.swarm.address(0));
        let row = self.measured("one VM", || {
            let load = RemoteLoad::start(&way, &target, RATE)?;
            self.under(load, || self.release(&publish, &[], false))
        });
        self.swarm.docker(0, &["rm", "--force", trial::APP])?;
        row
    }

    fn on_swarm(&self, front: &Front, nodes: usize, tasks: usize) -> anyhow::Result<Vec<String>> {
        for node in 1..nodes {
            let joined = self.swarm.docker(0, &["node", "ls", "--quiet"])?;
            if joined.lines().count() <= node {
                self.swarm.join(node, 0)?;
            }
        }
        // So many of them from here on.
        let replicas = texts(["--replicas", &tasks.to_string()]);
        self.release(&[], &replicas, true)?;
        let many = |count, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let title = format!("{}, {}", many(nodes, "node"), many(tasks, "task"));
        self.measured(&title, || {
            self.under(front.load()?, || self.release(&[], &[], true))
        })
    }

    fn measured(
        &self,
        title: &str,
        once: impl Fn() -> anyhow::Result<Release>,
    ) -> anyhow::Result<Vec<String>> {
        let releases: Vec<Release> = (0..self.rounds)
            .map(|_| once())
            .collect::<anyhow::Result<_>>()?;
        let step = |nth: usize| releases.iter().map(|it| it.steps[nth]).collect::<Vec<_>>();
        let whole: Vec<Duration> = releases.iter().map(|it| it.steps.iter().sum()).collect();
        let times = (0..STEPS.len()).map(step).chain([whole]);
        let seen = || releases.iter().map(|it| &it.seen);
        let (failed, sent) = (
            seen().map(Outcome::failed).sum(),
            seen().map(Outcome::sent).sum(),
        );
        let slowest = seen().map(|it| it.percentile(100.0)).fold(0.0, f64::max);
        let lost = format!("{} of {}", thousands(failed), thousands(sent));
        let times = times.map(|times| seconds(median(&times)));
        Ok([title.to_owned()]
            .into_iter()
            .chain(times)
            .chain([lost, ms(slowest)])
            .collect())
    }

    fn under(
        &self,
        load: RemoteLoad,
        deed: impl FnOnce() -> anyhow::Result<[Duration; 5]>,
    ) -> anyhow::Result<Release> {
        thread::sleep(Duration::from_millis(500));
        let steps = deed()?;
        thread::sleep(Duration::from_secs(1));
        Ok(Release {
            steps,
            seen: load.finish()?,
        })
    }
}
