//! One case: the step meets the fault at its call number `k`, and what becomes of it is judged.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use stage::cargo;
use stage::image::Built;
use stage::process::Run;
use stage::relay::Relay;
use stage::steps::run;
use tempfile::TempDir;

use super::fault::Fault;
use super::processes::{self, MARK};
use super::state::{Roles, State};
use super::steps::Step;
use crate::resume::KILLED;
use crate::support::{App, get, text};

/// The socket is greeted, and asked for each of the four containers.
const FIRST_LOOK: usize = 5;

pub(super) struct Case<'a> {
    pub(super) step: Step,
    pub(super) app: &'a App,
    pub(super) new: &'a Built,
    pub(super) old: &'a Built,
    /// Where nft is the shim.
    pub(super) path: &'a str,
    pub(super) heir: bool,
    /// Where the fault is at the engine's socket, and not at its CLI.
    pub(super) relay: Option<&'a Relay>,
    pub(super) roles: Roles,
    /// Where the calls are written down, by an heir as well.
    pub(super) folder: TempDir,
}

impl Case<'_> {
    pub(super) fn command(&self, flags: &[&str]) -> Command {
        let own = self.step.flags(self.app, self.new);
        let mut command = self.app.command(self.step.name(), flags);
        command.args(own).env("PATH", self.path);
        command.env(MARK, self.app.name());
        if !self.heir {
            command.env("DEPLOY_STEPS_HEIR", "2");
        }
        command
    }

    /// The step with the fault at call `k` (none at 0), and the words of all its calls.
    pub(super) fn meet(&self, fault: Fault, k: usize) -> anyhow::Result<(Run, Vec<String>)> {
        let calls = self.folder.path().join("calls");
        let mut command = self.command(fault.flags());
        if let Some(relay) = self.relay {
            relay.expect(fault.name(), k);
            command.env("DOCKER_HOST", relay.host());
            return Ok((run(command, None)?, relay.seen()));
        }
        let docker = cargo::steps()?.join("faulty-docker");
        command.arg("--docker").arg(docker);
        command
            .env("DEPLOY_STEPS_FAULT_CALLS", &calls)
            .env("DEPLOY_STEPS_FAULT", fault.name());
        command.env("DEPLOY_STEPS_FAULT_AT", k.to_string());
        let run = run(command, None)?;
        let calls = fs::read_to_string(&calls).unwrap_or_default();
        Ok((run, calls.lines().map(str::to_owned).collect()))
    }

    pub(super) fn state(&self) -> anyhow::Result<State> {
        State::read(self.app, &self.roles)
    }

    /// Judges what the fault at call `k` came to, and carries on as its user would.
    pub(super) fn judge(
        &self,
        fault: Fault,
        k: usize,
        run: &Run,
        end: &State,
        live: &str,
    ) -> anyhow::Result<()> {
        if fault.kills() {
            ensure!(run.code == KILLED, "killed, it ended with {run:?}");
            if self.heir {
                processes::wait_for_heirs(self.app.name()).map_err(anyhow::Error::msg)?;
                // First it asks where things stand: before that there is nothing to inherit.
                let first = if self.relay.is_some() { FIRST_LOOK } else { 1 };
                let state = self.state()?;
                ensure!(k <= first || state == *end, "after its heir: {state:#?}");
            }
        } else {
            self.tells_the_truth(run, end, live)?;
        }
        if run.code == 0 {
            return Ok(());
        }
        self.again(end)
    }

    /// Without such a call nothing went wrong.
    pub(super) fn is_done(&self, run: &Run) -> anyhow::Result<()> {
        ensure!(run.code == 0, "without the fault: {run:?}");
        Ok(())
    }

    /// The new release is what clients get.
    pub(super) fn answers(&self) -> anyhow::Result<()> {
        let answer = get(self.app.addr(), "/")?;
        ensure!(self.new.name.ends_with(&answer), "{answer} answers");
        Ok(())
    }

    /// What it says is so: all is done, or nothing of what is live was touched.
    pub(super) fn tells_the_truth(&self, run: &Run, end: &State, live: &str) -> anyhow::Result<()> {
        let report = run.json()?;
        if run.code == 0 {
            ensure!(report["ok"] == true, "{run:?}");
            let state = self.state()?;
            ensure!(
                state == *end,
                "it says that all is done: {run:?} {state:#?}"
            );
            return Ok(());
        }
        ensure!(
            report["ok"] == false && report["error"]["code"] == run.code,
            "{run:?}"
        );
        ensure!(!text(&report["error"]["hint"]).is_empty(), "{run:?}");
        ensure!(run.code != 43, "the rollback failed: {run:?}");
        let untouched = self.app.container("").is_some_and(|it| it["Id"] == live);
        ensure!(
            untouched,
            "the live container was touched: {run:?} {:#?}",
            self.state()?
        );
        let answer = get(self.app.addr(), "/")?;
        ensure!(
            self.old.name.ends_with(&answer),
            "{answer} answers: {run:?}"
        );
        Ok(())
    }

    /// The same command finishes it, or finds it finished; where its hint asks for a candidate, with a new one.
    pub(super) fn again(&self, end: &State) -> anyhow::Result<()> {
        let mut again = run(self.command(&[]), None)?;
        let ended = |it: Value| it["State"]["Running"] == false;
        let ended = self.app.container("-new").is_some_and(ended);
        let anew = ended && self.step.starts_over(again.code);
        let anew = anew.then(|| self.step.prepare_anew(self.app, self.new, self.old));
        if anew.is_some() {
            again = run(self.command(&[]), None)?;
        }
        ensure!(again.code == 0, "again: {again:?}");
        let roles = anew.as_ref().unwrap_or(&self.roles);
        let state = State::read(self.app, roles).context("afterwards")?;
        if state != *end {
            bail!("again: {again:?}, which leaves {state:#?} and not {end:#?}");
        }
        Ok(())
    }
}
