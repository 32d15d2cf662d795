//! `cargo xtask deploy` and `cargo xtask rollback`: which steps run, with which flags.

use std::io::{self, Write};
use std::process::ExitCode;

use xshell::Shell;

use crate::flags::{self, Pipeline, flag};
use crate::pipeline::{Report, Runner, Step};

impl flags::Deploy {
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<ExitCode> {
        print(&self.report(sh)?)
    }

    /// Runs the whole pipeline without printing.
    pub(crate) fn report(&self, sh: &Shell) -> anyhow::Result<Report> {
        let pull = Step {
            name: "pull-image",
            args: [
                self.pipeline.identity(),
                flag("--expect-digest", self.expect_digest.as_deref()),
                flag("--platform", self.platform.as_deref()),
                flag("--attempts", self.pull_attempts.as_deref()),
                flag("--timeout", self.pull_timeout.as_deref()),
                flag("--min-free", self.min_free.as_deref()),
                switch("--allow-unlabelled", self.allow_unlabelled),
                vec![self.image.clone()],
            ]
            .concat(),
        };
        let mut steps = vec![pull];
        steps.extend(self.pipeline.steps_after_pull(&[], &self.rest));
        self.pipeline.runner(sh)?.run("deploy", steps)
    }
}

impl flags::Rollback {
    pub(crate) fn run(&self, sh: &Shell) -> anyhow::Result<ExitCode> {
        print(&self.report(sh)?)
    }

    /// Runs the whole pipeline without printing.
    pub(crate) fn report(&self, sh: &Shell) -> anyhow::Result<Report> {
        let steps = self.pipeline.steps_after_pull(&["--previous"], &[]);
        self.pipeline.runner(sh)?.run("rollback", steps)
    }
}

impl Pipeline {
    fn runner<'a>(&'a self, sh: &'a Shell) -> anyhow::Result<Runner<'a>> {
        let programs = match &self.steps {
            Some(folder) => folder.clone(),
            None => tests::cargo::steps()?.to_owned(),
        };
        Ok(Runner {
            sh,
            programs,
            flags: self,
        })
    }

    /// start-candidate, probe-health, promote and prune-app.
    fn steps_after_pull(&self, source: &[&str], rest: &[String]) -> Vec<Step> {
        let publish = self
            .publish
            .iter()
            .flat_map(|ports| flag("--publish", Some(ports)));
        let start = [
            self.identity(),
            source.iter().map(|&word| word.to_owned()).collect(),
            publish.collect(),
            flag("--health-path", self.path.as_deref()),
            flag("--health-port", self.port.as_deref()),
            flag("--health-host", self.host.as_deref()),
            flag("--deploy-id", self.deploy_id.as_deref()),
            switch("--replace", self.replace),
            switch("--allow-shared-volumes", self.allow_shared_volumes),
            if rest.is_empty() {
                Vec::new()
            } else {
                [&["--".to_owned()], rest].concat()
            },
        ];
        let probe = [
            self.looking(),
            flag("--within", self.within.as_deref()),
            flag("--interval", self.interval.as_deref()),
            flag("--attempts", self.attempts.as_deref()),
            flag("--successes", self.successes.as_deref()),
        ];
        let promote = [
            self.looking(),
            flag("--within", self.within.as_deref()),
            flag("--bridge", self.bridge.as_deref()),
            flag("--network", self.network.as_deref()),
            flag("--alias", self.alias.as_deref()),
            flag("--linger", self.linger.as_deref()),
            flag("--max-gap", self.max_gap.as_deref()),
            flag("--settle", self.settle.as_deref()),
            flag("--drain", self.drain.as_deref()),
            flag("--stop-timeout", self.stop_timeout.as_deref()),
            flag("--restart", self.restart.as_deref()),
            flag("--monitor", self.monitor.as_deref()),
            flag("--parallelism", self.parallelism.as_deref()),
            flag("--replicas", self.replicas.as_deref()),
        ];
        vec![
            Step {
                name: "start-candidate",
                args: start.concat(),
            },
            Step {
                name: "probe-health",
                args: probe.concat(),
            },
            Step {
                name: "promote",
                args: promote.concat(),
            },
            Step {
                name: "prune-app",
                args: self.prune(),
            },
        ]
    }

    /// The flags that say what healthy means, as probe-health and promote both take them.
    fn looking(&self) -> Vec<String> {
        let headers = self
            .header
            .iter()
            .flat_map(|header| flag("--header", Some(header)));
        [
            self.identity(),
            headers.collect(),
            flag("--expect-status", self.expect_status.as_deref()),
            flag("--expect-body", self.expect_body.as_deref()),
            flag("--exec", self.exec.as_deref()),
            flag("--timeout", self.timeout.as_deref()),
            switch("--https", self.https),
            switch("--insecure", self.insecure),
            switch("--tcp", self.tcp),
            switch("--docker-health", self.docker_health),
        ]
        .concat()
    }
}

fn switch(name: &str, on: bool) -> Vec<String> {
    on.then(|| name.to_owned()).into_iter().collect()
}

fn print(report: &Report) -> anyhow::Result<ExitCode> {
    writeln!(io::stdout(), "{}", serde_json::to_string(report)?)?;
    Ok(ExitCode::from(crate::code(report.exit_code)))
}
