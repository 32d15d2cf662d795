//! The five steps as child processes, the way a shell script would run them, with the fallback and one report.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::Value;
use stage::process::{self, code_of};
use xshell::{Shell, cmd};

use crate::flags::Pipeline;
use crate::interrupt;
use crate::lines::Lines;
use crate::swap::Span;

/// Exit code of a prune that could not remove everything, which never undoes a deployment.
const NOT_REMOVED: i32 = 50;
/// The exit code of a promotion whose release is live: its candidate is no failed one.
pub(crate) const GAP_TOO_LONG: i32 = 48;

/// The exit code of a start-candidate that finds a promotion which was killed, and whose heir is gone.
const UNFINISHED: i32 = 25;
const INTERRUPTED: i32 = 7;
const ROLLED_BACK: std::ops::RangeInclusive<i32> = 41..=43;

/// The report of a whole pipeline, one line on stdout.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `deploy` or `rollback`.
    pub(crate) pipeline: &'static str,
    /// Whether the release is live.
    pub(crate) ok: bool,
    pub(crate) app: String,
    /// That of the step that failed, else 0.
    pub(crate) exit_code: i32,
    /// The step that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed_step: Option<&'static str>,
    /// Every step's own report, in order; `null` where a step printed none (a usage error).
    pub(crate) steps: Vec<Value>,
    /// The report of the promote that was run first, as an earlier promotion was unfinished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resumed: Option<Value>,
    /// The report of the step that cleared away after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fallback: Option<Value>,
    /// When it began, in UTC.
    pub(crate) at: String,
    pub(crate) took_ms: u64,
    /// When each step ran, for pictures.
    #[serde(skip)]
    pub(crate) spans: Vec<Span>,
}

/// One step of a pipeline: its program and its flags.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<String>,
}

/// Runs steps, each fed with the report of the one before.
pub(crate) struct Runner<'a> {
    pub(crate) sh: &'a Shell,
    /// The folder with the step programs.
    pub(crate) programs: PathBuf,
    pub(crate) flags: &'a Pipeline,
    pub(crate) lines: Lines,
}

impl Runner<'_> {
    /// Runs `steps` until one fails; then the candidate that this run started is removed.
    pub(crate) fn run(&self, pipeline: &'static str, steps: Vec<Step>) -> anyhow::Result<Report> {
        interrupt::forward_to_children()?;
        let began = Instant::now();
        let mut report = Report {
            pipeline,
            ok: true,
            app: self.flags.app.clone(),
            exit_code: 0,
            failed_step: None,
            steps: Vec::new(),
            resumed: None,
            fallback: None,
            at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            took_ms: 0,
            spans: Vec::new(),
        };
        for step in steps {
            let from = SystemTime::now();
            let (code, said) = self.with_unfinished(&step, &mut report)?;
            report.spans.push(Span::until_now(step.name, from));
            report.steps.push(said);
            // The release is live by then: what prune left behind is in its report.
            let done = code == 0 || (step.name == "prune-app" && code == NOT_REMOVED);
            if !done {
                (report.ok, report.exit_code, report.failed_step) = (false, code, Some(step.name));
                if code == GAP_TOO_LONG {
                    break;
                }
                let from = SystemTime::now();
                report.fallback = self.fall_back(&report.steps)?;
                report.spans.push(Span::until_now("prune-app", from));
                break;
            }
        }
        report.took_ms = u64::try_from(began.elapsed().as_millis())?;
        Ok(report)
    }

    /// Runs a step. Where it finds a promotion that nobody has finished, promote resumes that or rolls it back, and the
    /// step is run once more.
    fn with_unfinished(&self, step: &Step, report: &mut Report) -> anyhow::Result<(i32, Value)> {
        let (code, said) = self.step(step, report.steps.last())?;
        if step.name != "start-candidate" || code != UNFINISHED {
            return Ok((code, said));
        }
        let app = &self.flags.app;
        writeln!(
            io::stderr(),
            "xtask: a promotion of {app} is unfinished: promote is run first"
        )?;
        let promote = Step {
            name: "promote",
            args: [vec!["--unfinished".to_owned()], self.lines.of("promote")].concat(),
        };
        let (code, resumed) = self.step(&promote, None)?;
        report.resumed = Some(resumed);
        // What was live before a promotion that is undone is what a rollback is for.
        let is_back = report.pipeline == "rollback" && ROLLED_BACK.contains(&code);
        if code == INTERRUPTED || is_back {
            return Ok((code, said));
        }
        self.step(step, report.steps.last())
    }

    /// Only the very candidate that was started here: another deployment's stays.
    fn fall_back(&self, reports: &[Value]) -> anyhow::Result<Option<Value>> {
        let id = reports
            .iter()
            .find_map(|report| report["candidate_id"].as_str());
        let Some(id) = id else {
            return Ok(None);
        };
        let args = ["--candidate", "--candidate-id", id].map(str::to_owned);
        let clear = Step {
            name: "prune-app",
            args: [args.to_vec(), self.lines.of("prune-app")].concat(),
        };
        Ok(Some(self.step(&clear, None)?.1))
    }

    /// Both are named whatever the environment or a report says: the container by a flag or a line, or as the app.
    fn identity(&self, args: &[String]) -> Vec<String> {
        let mut identity = vec![format!("--app={}", self.flags.app)];
        let mut flags = args.iter().take_while(|it| *it != "--");
        let is_named = flags.any(|it| it.split('=').next() == Some("--container"));
        let name = self.flags.container.as_ref().unwrap_or(&self.flags.app);
        identity.extend((!is_named).then(|| format!("--container={name}")));
        identity
    }

    /// Runs one step; its stderr is ours, its stdout its report.
    fn step(&self, step: &Step, previous: Option<&Value>) -> anyhow::Result<(i32, Value)> {
        let Self { sh, flags, .. } = self;
        let program = self.programs.join(step.name);
        ensure!(
            program.is_file(),
            "{} is missing: give the folder of the steps with --steps",
            program.display()
        );
        let args = step.args.iter();
        let identity = self.identity(&step.args);
        let from = previous.map(|_| "--from=-");
        // A command of xshell's own would either echo stdout or swallow stderr.
        let mut command: Command = cmd!(sh, "{program} {identity...} {from...} {args...}").into();
        let stdin = if previous.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        if flags.sealed {
            process::scrub(&mut command).stderr(Stdio::null());
        }
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let _forwarding = interrupt::Child::of(&child);
        if let (Some(mut stdin), Some(previous)) = (child.stdin.take(), previous) {
            // A step that ends without reading has said why by its exit code.
            let _ = writeln!(stdin, "{previous}");
        }
        let output = child.wait_with_output()?;
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok((code_of(output.status), report))
    }
}
