//! The questions and orders the steps have for the engine, each one call of its CLI.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::de::DeserializeOwned;
use xshell::cmd;

use super::call::How;
use super::{Container, Engine, EngineError, Image, Reply};
use crate::printable;

impl Engine {
    /// The containers among `names`, found by exact name or full id (the CLI itself also takes
    /// the beginning of another container's id for a name).
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn containers(&self, names: &[&str]) -> Result<Vec<Container>, EngineError> {
        let Self { sh, cli, .. } = self;
        let found: Vec<Container> =
            self.inspect(cmd!(sh, "{cli} container inspect {names...}").into())?;
        let asked = |c: &Container| names.contains(&c.name()) || names.contains(&c.id.as_str());
        Ok(found.into_iter().filter(asked).collect())
    }

    /// One container, by exact name or full id.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn container(&self, name: &str) -> Result<Option<Container>, EngineError> {
        Ok(self.containers(&[name])?.into_iter().next())
    }

    /// The images among `references`.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn images(&self, references: &[&str]) -> Result<Vec<Image>, EngineError> {
        let Self { sh, cli, .. } = self;
        self.inspect(cmd!(sh, "{cli} image inspect {references...}").into())
    }

    /// One image.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        Ok(self.images(&[reference])?.into_iter().next())
    }

    /// `inspect` fails when any object is missing, yet prints those it found.
    fn inspect<T: DeserializeOwned>(&self, command: Command) -> Result<Vec<T>, EngineError> {
        let reply = self.call(command)?;
        if reply.engine_is_away() {
            return Err(reply.failure());
        }
        serde_json::from_str(&reply.stdout).map_err(|error| match reply.code {
            Some(0) => EngineError::Failed {
                call: reply.call.clone(),
                message: format!("its answer could not be read: {error}"),
            },
            _ => reply.failure(),
        })
    }

    /// The full ids of all containers, running or not.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn container_ids(&self) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        self.lines(cmd!(sh, "{cli} ps --all --no-trunc --format '{{.ID}}'").into())
    }

    /// The full ids of running containers that publish `port` on the host.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn publishing(&self, port: u16) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        let port = port.to_string();
        self.lines(
            cmd!(
                sh,
                "{cli} ps --no-trunc --filter publish={port} --format '{{.ID}}'"
            )
            .into(),
        )
    }

    /// The ids of the images that match any of `filters` (such as `label=app=web`, `reference=R`),
    /// untagged ones included.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn image_ids(&self, filter: &str) -> Result<Vec<String>, EngineError> {
        let Self { sh, cli, .. } = self;
        let mut ids = self.lines(
            cmd!(
                sh,
                "{cli} image ls --all --no-trunc --filter {filter} --format '{{.ID}}'"
            )
            .into(),
        )?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn lines(&self, command: Command) -> Result<Vec<String>, EngineError> {
        let reply = self.call(command)?.success()?;
        Ok(reply
            .stdout
            .lines()
            .map(str::to_owned)
            .filter(|line| !line.is_empty())
            .collect())
    }

    /// The folder where the engine keeps its images.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn data_root(&self) -> Result<String, EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(cmd!(sh, "{cli} info --format '{{.DockerRootDir}}'").into())?;
        Ok(reply.success()?.stdout.trim().to_owned())
    }

    /// The address of the CLI's current context.
    pub(super) fn context_endpoint(&self) -> Result<String, EngineError> {
        let Self { sh, cli, .. } = self;
        let reply = self.call(
            cmd!(
                sh,
                "{cli} context inspect --format '{{.Endpoints.docker.Host}}'"
            )
            .into(),
        )?;
        Ok(reply.success()?.stdout.trim().to_owned())
    }

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
        self.call_as(
            command.into(),
            &How {
                timeout,
                interruptible: true,
                stdout_to_stderr: draw,
            },
        )
    }

    /// Creates a container with the CLI's working folder at `folder`, so that relative paths in
    /// `words` mean what they meant to the person who wrote them. Prints the id on success.
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline, or the folder is gone and needed; a
    /// refusal is a [`Reply`].
    pub fn create(&self, words: &[String], folder: &str) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        let mut command: Command = cmd!(sh, "{cli} create {words...}").into();
        command.current_dir(if Path::new(folder).is_dir() {
            folder
        } else if mentions_relative_paths(words) {
            return Err(EngineError::Failed {
                call: "docker create".to_owned(),
                message: format!(
                    "the folder {} is gone, and run options name files in it",
                    printable(folder, 200)
                ),
            });
        } else {
            "/"
        });
        self.call(command)
    }

    /// Starts a container; a failed start is a [`Reply`].
    ///
    /// # Errors
    /// When the CLI cannot be run or overruns its deadline.
    pub fn start(&self, id: &str) -> Result<Reply, EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} start {id}").into())
    }

    /// Stops a container: SIGTERM, and SIGKILL after `grace`.
    ///
    /// # Errors
    /// When the engine refuses, or overruns its deadline.
    pub fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let Self { sh, cli, timeout } = self;
        let seconds = grace.as_secs().to_string();
        let how = How {
            timeout: *timeout + grace,
            interruptible: false,
            stdout_to_stderr: false,
        };
        // `-t` is the one spelling every CLI knows: `--timeout` is new, `--time` is deprecated.
        self.call_as(cmd!(sh, "{cli} stop -t {seconds} {id}").into(), &how)?
            .success()?;
        Ok(())
    }

    /// Removes containers by force, leaving their anonymous volumes; those already gone are no error.
    ///
    /// # Errors
    /// When one could not be removed.
    pub fn remove(&self, ids: &[&str]) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} rm --force {ids...}").into())?
            .success()?;
        Ok(())
    }

    /// Removes containers that never were live by force, with their anonymous volumes.
    ///
    /// # Errors
    /// When one could not be removed.
    pub fn remove_with_volumes(&self, ids: &[&str]) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} rm --force --volumes {ids...}").into())?
            .success()?;
        Ok(())
    }

    /// Renames a container.
    ///
    /// # Errors
    /// When the engine refuses, as for a name that is taken.
    pub fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} rename {id} {name}").into())?
            .success()?;
        Ok(())
    }

    /// Takes a container off a network.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn disconnect(&self, network: &str, id: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} network disconnect {network} {id}").into())?
            .success()?;
        Ok(())
    }

    /// Puts a container on a network, with options as for `docker network connect`.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn connect(&self, network: &str, id: &str, options: &[String]) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} network connect {options...} {network} {id}").into())?
            .success()?;
        Ok(())
    }

    /// Changes a container's restart policy.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn set_restart(&self, id: &str, policy: &str) -> Result<(), EngineError> {
        let Self { sh, cli, .. } = self;
        self.call(cmd!(sh, "{cli} update --restart {policy} {id}").into())?
            .success()?;
        Ok(())
    }

    /// The last `count` lines of a container's log, both streams; empty where the log driver keeps none.
    pub fn log_tail(&self, id: &str, count: usize, secrets: &[String]) -> Vec<String> {
        let Self { sh, cli, .. } = self;
        let lines = count.to_string();
        match self.call(cmd!(sh, "{cli} logs --tail {lines} {id}").into()) {
            Ok(Reply {
                code: Some(0),
                stdout,
                stderr,
                ..
            }) => crate::tail(&format!("{stdout}\n{stderr}"), count, secrets),
            _ => Vec::new(),
        }
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
            timeout,
            interruptible: true,
            stdout_to_stderr: false,
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

/// Whether words of a call name files or folders by relative paths, as far as words tell.
fn mentions_relative_paths(words: &[String]) -> bool {
    const FILES: [&str; 2] = ["--env-file", "--label-file"];
    let absolute = |path: &str| path.starts_with('/');
    let after_flag = words
        .windows(2)
        .any(|pair| FILES.contains(&pair[0].as_str()) && !absolute(&pair[1]));
    let glued = |word: &String| {
        let (flag, path) = word.split_once('=').unwrap_or((word, "/"));
        FILES.contains(&flag) && !absolute(path)
    };
    let dotted = |word: &String| {
        let mut parts = word.split(['=', ',', ':']);
        parts.any(|part| {
            matches!(part, "." | "..") || part.starts_with("./") || part.starts_with("../")
        })
    };
    after_flag || words.iter().any(|word| glued(word) || dotted(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_seen_in_every_form() {
        let seen = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            mentions_relative_paths(&words)
        };
        assert!(seen(&["--env-file", "app.env"]) && seen(&["--env-file=app.env"]));
        assert!(seen(&["-v", "./data:/data"]) && seen(&["--mount", "type=bind,src=../d,dst=/d"]));
        assert!(!seen(&[
            "--env-file",
            "/etc/web.env",
            "-v",
            "data:/data",
            "-e",
            "A=b.c"
        ]));
    }
}
