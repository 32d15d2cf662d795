//! The commands the steps have for the engine, each one call of its CLI.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use xshell::cmd;

use super::Engine;
use super::api::child::Request;
use super::api::http::encoded;
use super::cli::Reply;
use super::config::WITHOUT_END;
use super::endpoint::Endpoint;
use super::environment::Environment;
use super::error::EngineError;
use super::folder::in_folder;
use crate::host::process::How;

/// Between two looks whether a container is gone.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest that one is waited for which may take any time to end: longer than any flag takes.
const LONGEST_STOP: Duration = Duration::from_secs(30 * 24 * 3600);

impl Engine {
    /// Pulls; on a terminal the CLI draws its progress bars on our stderr. Given up on interrupt.
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns `timeout`; a failed pull is a [`Reply`].
    pub fn pull(
        &self,
        image: &str,
        platform: Option<&str>,
        timeout: Duration,
        draw: bool,
    ) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let platform = platform.map(|p| format!("--platform={p}"));
        let command = cmd!(sh, "{cli} pull {platform...} {image}");
        self.call_that_may_ask(
            command.into(),
            &How {
                interruptible: true,
                stdout_to_stderr: draw,
                ..How::within(timeout)
            },
        )
    }

    /// Creates a container with the CLI's working folder at `folder`, so that relative paths in
    /// `words` mean what they meant to the person who wrote them; `environment` has the values of
    /// the variables that they name. Prints the id on success.
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline, or the folder is gone and needed; a
    /// refusal is a [`Reply`].
    pub fn create(
        &self,
        words: &[String],
        environment: &Environment,
        folder: &str,
    ) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let mut command = in_folder(cmd!(sh, "{cli} create {words...}").into(), words, folder)?;
        environment.give(&mut command);
        self.call(command)
    }

    /// Creates it by the first of two names of an image, and where that is refused by the other: an engine may not know
    /// each name by which it has an image.
    ///
    /// # Errors
    /// As [`Engine::create`].
    pub fn create_by(
        &self,
        (name, id): (&str, &str),
        words: impl Fn(&str) -> Vec<String>,
        environment: &Environment,
        folder: &str,
    ) -> Result<Reply, EngineError> {
        let reply = self.create(&words(name), environment, folder)?;
        if reply.code == Some(0) || reply.engine_is_away() || name == id {
            return Ok(reply);
        }
        self.create(&words(id), environment, folder)
    }

    /// Starts a container; a failed start is a [`Reply`].
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline.
    pub fn start(&self, id: &str) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let order = Request::post(format!("/containers/{id}/start"));
        self.command(order, cmd!(sh, "{cli} start {id}").into(), &self.usual())
    }

    /// Stops a container: SIGTERM, and SIGKILL after `grace`; one [`WITHOUT_END`] is waited for as the engine does.
    ///
    /// # Errors
    /// When the engine refuses, or overruns its deadline.
    pub fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let Self {
            sh, cli, limits, ..
        } = self;
        // The engine takes whole seconds: rather one more than a shutdown that is cut short.
        let seconds = match grace {
            WITHOUT_END => "-1".to_owned(),
            grace => grace.as_millis().div_ceil(1000).to_string(),
        };
        let how = How::within(limits.timeout + grace.min(LONGEST_STOP));
        // `-t` is the one spelling every CLI knows: `--timeout` is new, `--time` is deprecated.
        let stop = || {
            let order = Request::post(format!("/containers/{id}/stop?t={seconds}"));
            self.command(order, cmd!(sh, "{cli} stop -t {seconds} {id}").into(), &how)
        };
        let reply = stop()?;
        // Docker lets a paused container run for its end by itself, podman refuses to stop it.
        if reply.code != Some(0)
            && self
                .call(cmd!(sh, "{cli} unpause {id}").into())
                .is_ok_and(|reply| reply.code == Some(0))
        {
            stop()?.success()?;
        } else {
            reply.success()?;
        }
        Ok(())
    }

    /// Removes containers by force, leaving their anonymous volumes; those already gone are no error.
    ///
    /// # Errors
    /// When one could not be removed.
    pub fn remove(&self, ids: &[&str]) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        if self.socket.is_none() {
            let reply = self.call(cmd!(sh, "{cli} rm --force {ids...}").into())?;
            return self.removed(reply, ids);
        }
        for id in ids {
            let order = Request::delete(format!("/containers/{id}?force=true"));
            let reply = self.command(
                order,
                cmd!(sh, "{cli} rm --force {id}").into(),
                &self.usual(),
            )?;
            self.removed(reply, &[id])?;
        }
        Ok(())
    }

    /// Waits for a removal that the engine was already asked for, as by a step that was killed meanwhile.
    fn removed(&self, reply: Reply, ids: &[&str]) -> Result<(), EngineError> {
        const BY_OTHERS: [&str; 2] = ["No such container", "is already in progress"];
        let by_others = |line: &str| BY_OTHERS.iter().any(|said| line.contains(said));
        let are_by_others = !reply.stderr.is_empty() && reply.stderr.lines().all(by_others);
        if reply.code == Some(0) || !are_by_others {
            return reply.success().map(drop);
        }
        let end = Instant::now() + self.limits.timeout;
        while !self.containers(ids)?.is_empty() {
            if Instant::now() > end {
                return Err(reply.failure());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Removes a container that does not run, leaving its anonymous volumes.
    ///
    /// # Errors
    /// When it runs, or is not there.
    pub fn remove_ended(&self, id: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        let order = Request::delete(format!("/containers/{id}"));
        self.ordered(order, cmd!(sh, "{cli} rm {id}"))
    }

    /// Removes containers that never were live by force, with their anonymous volumes; those already gone are no error.
    ///
    /// # Errors
    /// When one could not be removed.
    pub fn remove_with_volumes(&self, ids: &[&str]) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} rm --force --volumes {ids...}").into())?;
        self.removed(reply, ids)
    }

    /// Renames a container.
    ///
    /// # Errors
    /// When the engine refuses, as for a name that is taken.
    pub fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        let order = Request::post(format!("/containers/{id}/rename?name={name}"));
        self.ordered(order, cmd!(sh, "{cli} rename {id} {name}"))
    }

    /// Takes a container off a network.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn disconnect(&self, network: &str, id: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.done(cmd!(sh, "{cli} network disconnect {network} {id}"))
    }

    /// Puts a container on a network, as `endpoint` says.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn connect(&self, network: &str, id: &str, endpoint: &Endpoint) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        let options = endpoint.options();
        let connect = cmd!(sh, "{cli} network connect {options...} {network} {id}");
        if endpoint.mac.is_none() {
            return self.done(connect);
        }
        let request = Request {
            body: endpoint.request(id),
            ..Request::post(format!("/networks/{}/connect", encoded(network)))
        };
        self.ordered(request, connect)
    }

    /// Changes a container's restart policy.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn set_restart(&self, id: &str, policy: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        let (name, tries) = policy.split_once(':').unwrap_or((policy, "0"));
        let tries: u32 = tries.parse().unwrap_or_default();
        let request = Request {
            body: json!({"RestartPolicy": {"Name": name, "MaximumRetryCount": tries}}).to_string(),
            ..Request::post(format!("/containers/{id}/update"))
        };
        self.ordered(request, cmd!(sh, "{cli} update --restart {policy} {id}"))
    }

    /// Whether [`Engine::set_restart`] can be had, asked by doing it: the container keeps having no policy.
    /// Podman 4 takes one at creation only.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn changes_restart(&self, id: &str) -> Result<bool, EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} update --restart no {id}").into())?;
        if reply.engine_is_away() {
            return Err(reply.failure());
        }
        Ok(reply.code == Some(0))
    }

    /// Runs a program in a container; its exit code is the reply's.
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns `timeout`.
    pub fn exec(
        &self,
        id: &str,
        words: &[String],
        timeout: Duration,
    ) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let how = How {
            interruptible: true,
            // Only the exit code counts, and a complaint of the engine's.
            longest: 64 << 10,
            ..How::within(timeout)
        };
        self.call_as(cmd!(sh, "{cli} exec {id} {words...}").into(), &how)
    }

    /// Removes images by name or id; a refusal is a [`Reply`].
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline.
    pub fn remove_images(&self, references: &[&str]) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} image rm {references...}").into())
    }
}
