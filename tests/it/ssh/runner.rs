//! A CI runner: carries out the scripts of an action or a job in the environment that GitHub's gives them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use stage::cargo;
use stage::steps::{Run, run};
use tempfile::TempDir;

use super::told::{self, Told};
use crate::workflows::yaml;

/// The number of the run, which the action takes for the deployment's.
pub(crate) const RUN_NUMBER: &str = "42";

/// What is left of one job.
pub(crate) struct Runner {
    folder: TempDir,
}

/// How the scripts of it ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) run: Run,
    pub(crate) summary: String,
    /// The reports, from the file that the action leaves.
    pub(crate) reports: Vec<Value>,
    outputs: String,
}

/// Puts values in the places of the `${{ … }}` in a text.
pub(crate) fn fill(text: &str, value: &dyn Fn(&str) -> String) -> String {
    let mut parts = text.split("${{");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").unwrap();
        filled += &value(expression.trim());
        filled += rest;
    }
    filled
}

impl Runner {
    pub(crate) fn new() -> Runner {
        let folder = tempfile::tempdir().unwrap();
        for name in ["temp", "work", "home"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in ["output", "summary"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        Runner { folder }
    }

    /// A folder of the runner's: `temp`, `work` or `home`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command of one step's script, the expressions in its environment filled in.
    pub(crate) fn script(&self, step: &Value, value: &dyn Fn(&str) -> String) -> Command {
        let script = self.path("script");
        fs::write(&script, step["run"].as_str().unwrap()).unwrap();
        // What GitHub's runner makes of no shell, and of one's name.
        let shell = match step["shell"].as_str() {
            Some("sh") => "sh -e",
            Some("bash") => "bash --noprofile --norc -eo pipefail",
            None => "bash -e",
            other => panic!("{other:?}"),
        };
        let mut command = Command::new("env");
        // A shell cannot trap what it is started to ignore, as the tests may be.
        command
            .arg("--default-signal=INT,TERM")
            .args(shell.split(' '))
            .arg(script)
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .env("RUNNER_TEMP", self.path("temp"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"));
        if let Some(host) = env::var_os("DOCKER_HOST") {
            command.env("DOCKER_HOST", host);
        }
        for (name, text) in step["env"].as_object().into_iter().flatten() {
            command.env(name, fill(text.as_str().unwrap(), value));
        }
        command
    }

    /// The command of the deploy action, with these inputs.
    pub(crate) fn action(&self, inputs: &[(&str, String)]) -> Command {
        let action = yaml(".github/actions/deploy/action.yml");
        for (name, _) in inputs {
            assert!(action["inputs"][name].is_object(), "no input {name}");
        }
        let value = |expression: &str| {
            let name = expression.strip_prefix("inputs.").unwrap();
            let input = &action["inputs"][name];
            assert!(input.is_object(), "no input {name}");
            let given = inputs.iter().rev().find(|it| it.0 == name);
            let default = || input["default"].as_str().unwrap_or_default().to_owned();
            let text = given.map_or_else(default, |it| it.1.clone());
            fill(&text, &|context| {
                assert_eq!(context, "github.run_number");
                RUN_NUMBER.to_owned()
            })
        };
        let [step] = &action["runs"]["steps"].as_array().unwrap()[..] else {
            panic!("{action}")
        };
        let mut command = self.script(step, &value);
        let here = cargo::workspace().join(".github/actions/deploy");
        command.env("GITHUB_ACTION_PATH", here);
        command
    }

    /// Runs a script to its end; nothing secret may be left of it.
    pub(crate) fn run(&self, script: Command) -> Done {
        let run = run(script, None).unwrap();
        let file = |name: &str| fs::read_to_string(self.path(name)).unwrap();
        let mut done = Done {
            run,
            summary: file("summary"),
            outputs: file("output"),
            reports: Vec::new(),
        };
        if let Some(reports) = done.output("reports") {
            let lines = fs::read_to_string(reports).unwrap();
            let all = lines.lines().map(serde_json::from_str);
            done.reports = all.collect::<Result<_, _>>().unwrap();
        }
        for text in [&*format!("{done:?}"), &everything(&self.path("temp"))] {
            assert!(!text.contains("PRIVATE KEY"), "{text}");
        }
        done
    }
}

/// What the files in a folder hold.
pub(crate) fn everything(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    entries
        .map(|path| match path.metadata().unwrap() {
            it if it.is_dir() => everything(&path),
            it if it.is_file() => String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned(),
            _ => String::new(),
        })
        .collect()
}

impl Done {
    /// The value of an output.
    pub(crate) fn output(&self, name: &str) -> Option<&str> {
        let mut lines = self.outputs.lines().filter_map(|line| line.split_once('='));
        lines.find(|it| it.0 == name).map(|it| it.1)
    }

    /// Commands that the log gives to the runner, beside those that fold it.
    pub(crate) fn told(&self) -> Vec<Told> {
        let both = format!("{}\n{}", self.run.stdout, self.run.stderr);
        let told = told::told(&both);
        told.into_iter()
            .filter(|it| !it.name.ends_with("group"))
            .collect()
    }
}
