//! `cargo xtask deploy` and `cargo xtask rollback`: which steps run, with which arguments.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::ensure;
use xshell::Shell;

use crate::exit;
use crate::flags::{self, Pipeline};
use crate::lines::{EACH, Lines, ROLLBACK};
use crate::pipeline::{Report, Runner, Step};

impl flags::Deploy {
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<ExitCode> {
        print(&self.report(sh)?)
    }

    /// Runs the whole pipeline without printing.
    pub(crate) fn report(&self, sh: &Shell) -> anyhow::Result<Report> {
        let lines = self.pipeline.lines()?;
        let mut start = lines.of("start-candidate");
        if !self.rest.is_empty() {
            ensure!(
                !start.iter().any(|it| it == "--"),
                "run options stand in the lines of start-candidate and behind --: give them in one place"
            );
            start.push("--".to_owned());
            start.extend_from_slice(&self.rest);
        }
        let pull = Step {
            name: "pull-image",
            args: [lines.of("pull-image"), vec![self.image.clone()]].concat(),
        };
        let steps = [vec![pull], after_pull(start, &lines)].concat();
        self.pipeline.runner(sh, lines)?.run("deploy", steps)
    }
}

impl flags::Rollback {
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<ExitCode> {
        print(&self.report(sh)?)
    }

    /// Runs the whole pipeline without printing.
    pub(crate) fn report(&self, sh: &Shell) -> anyhow::Result<Report> {
        let lines = self.pipeline.lines()?;
        let start = [vec!["--previous".to_owned()], lines.of(ROLLBACK)].concat();
        let steps = after_pull(start, &lines);
        self.pipeline.runner(sh, lines)?.run("rollback", steps)
    }
}

/// start-candidate with these arguments, probe-health, promote and prune-app.
fn after_pull(start: Vec<String>, lines: &Lines) -> Vec<Step> {
    let rest = ["probe-health", "promote", "prune-app"].map(|name| Step {
        name,
        args: lines.of(name),
    });
    let start = Step {
        name: "start-candidate",
        args: start,
    };
    [start].into_iter().chain(rest).collect()
}

impl Pipeline {
    fn runner<'a>(&'a self, sh: &'a Shell, lines: Lines) -> anyhow::Result<Runner<'a>> {
        let programs = match &self.steps {
            Some(folder) => folder.clone(),
            None => stage::cargo::steps()?.to_owned(),
        };
        Ok(Runner {
            sh,
            programs,
            flags: self,
            lines,
        })
    }

    /// All that the steps are given: the flags and --set win over the file.
    fn lines(&self) -> anyhow::Result<Lines> {
        let mut lines = self.flags();
        for line in &self.set {
            lines.push(line)?;
        }
        let file = self.conf.as_deref().map(Lines::read).transpose()?;
        Ok(file.unwrap_or_default().below(lines))
    }

    fn flags(&self) -> Lines {
        let mut lines = Lines::default();
        for start in ["start-candidate", ROLLBACK] {
            for ports in &self.publish {
                lines.flag(start, "--publish", Some(ports));
            }
            lines.flag(start, "--deploy-id", self.deploy_id.as_deref());
            lines.flag(start, "--health-path", self.path.as_deref());
            lines.switch(start, "--replace", self.replace);
        }
        for step in ["probe-health", "promote"] {
            lines.flag(step, "--within", self.within.as_deref());
        }
        lines.flag("promote", "--bridge", self.bridge.as_deref());
        lines.flag("promote", "--drain", self.drain.as_deref());
        lines.flag("prune-app", "--keep", self.keep.as_deref());
        lines.switch(EACH, "--quiet", self.quiet);
        lines
    }
}

fn print(report: &Report) -> anyhow::Result<ExitCode> {
    writeln!(io::stdout(), "{}", serde_json::to_string(report)?)?;
    Ok(exit::of(report.exit_code))
}
