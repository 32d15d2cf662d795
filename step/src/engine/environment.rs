//! A container's environment on its way to the CLI: names among the words, values beside them.
//!
//! The words of a process are there for everybody to see, its environment is not. A variable by which the CLI itself, or a
//! program that it starts, would be led elsewhere goes through a file in memory.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::Command;

use rustix::fs::{MemfdFlags, memfd_create};
use thiserror::Error;

use super::leading::leads;

/// The kernel's limit for one variable, its name and the byte behind it included.
const LONGEST: usize = 128 * 1024;
/// The CLI's limit for a line of an env file.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// A variable that cannot be given to the CLI.
#[derive(Debug, Error)]
pub enum Uncarried {
    /// No program can be started with it.
    #[error("the value of {0} is longer than 128 KiB, which no program can be started with")]
    TooLong(String),
    /// An env file has one line for it.
    #[error(
        "the value of {0} has a line break or is longer than 64 KiB, and a variable of this name would lead the engine's client itself: rename it, or mount the value as a file"
    )]
    NotALine(String),
    /// It has no name that a variable can have, or holds a zero byte.
    #[error(
        "a variable has no name, a name with `*` at its end, or a zero byte, and cannot be handed on"
    )]
    BadName,
    /// There is no memory for the file.
    #[error("the values could not be handed to the engine's client: {0}")]
    NoFile(#[from] io::Error),
}

/// A variable, `NAME=value`, taken apart; a name alone has no value.
pub(super) fn pair(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    }
}

/// The environment of a container that is to be created.
#[derive(Debug, Default)]
pub struct Environment {
    /// With no value: one that is to be unset.
    by_name: Vec<(String, Option<String>)>,
    file: Option<File>,
}

impl Environment {
    /// Of these variables, each once; one without a value is one that the container is to lack.
    ///
    /// # Errors
    /// When one of them can be given to no program.
    pub fn new(variables: Vec<(String, Option<String>)>) -> Result<Self, Uncarried> {
        let mut all = Self::default();
        let mut lines = String::new();
        for (name, value) in variables {
            check(&name, value.as_deref())?;
            match value {
                Some(value) if leads(&name) => {
                    lines.push_str(&line(&name, &value)?);
                }
                value => all.by_name.push((name, value)),
            }
        }
        if !lines.is_empty() {
            // Kept open for the CLI, which opens it anew under its own number.
            let mut file =
                File::from(memfd_create("env", MemfdFlags::empty()).map_err(io::Error::from)?);
            file.write_all(lines.as_bytes())?;
            all.file = Some(file);
        }
        Ok(all)
    }

    /// Takes the values that stand among options of a service to itself and leaves their names. A name that leads the CLI
    /// stays with its value: a change to a service takes no env file.
    pub fn take(&mut self, options: &[String]) -> Vec<String> {
        let named = options.iter().map(|word| {
            let (flag, pair) = match word.split_once('=') {
                Some((flag @ ("--env" | "--env-add"), pair)) => (flag, pair.split_once('=')),
                _ => return word.clone(),
            };
            match pair.filter(|(name, value)| !leads(name) && check(name, Some(value)).is_ok()) {
                Some((name, value)) => {
                    self.by_name.push((name.to_owned(), Some(value.to_owned())));
                    format!("{flag}={name}")
                }
                None => word.clone(),
            }
        });
        named.collect()
    }

    /// The words that name them.
    pub fn words(&self) -> Vec<String> {
        let file = self.file.iter();
        let file = file.map(|file| format!("--env-file=/proc/self/fd/{}", file.as_raw_fd()));
        let names = self.by_name.iter().map(|(name, _)| format!("--env={name}"));
        file.chain(names).collect()
    }

    /// Gives the CLI the values.
    pub(super) fn give(&self, command: &mut Command) {
        for (name, value) in &self.by_name {
            match value {
                Some(value) => command.env(name, value),
                // One of those would lead the CLI elsewhere by its absence as well.
                None if leads(name) => command,
                None => command.env_remove(name),
            };
        }
    }
}

fn check(name: &str, value: Option<&str>) -> Result<(), Uncarried> {
    let length = name.len() + value.map_or(0, str::len) + 2;
    if length > LONGEST {
        return Err(Uncarried::TooLong(name.to_owned()));
    }
    let holds_nul = name.contains('\0') || value.is_some_and(|value| value.contains('\0'));
    // Podman takes the last one for all variables that begin so.
    if name.is_empty() || holds_nul || name.contains('=') || name.ends_with('*') {
        return Err(Uncarried::BadName);
    }
    Ok(())
}

fn line(name: &str, value: &str) -> Result<String, Uncarried> {
    let is_a_line = !value.contains('\n') && !value.ends_with('\r');
    let line = format!("{name}={value}\n");
    if is_a_line && line.len() < LONGEST_LINE {
        return Ok(line);
    }
    Err(Uncarried::NotALine(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Environment, Uncarried> {
        Environment::new(vec![(name.to_owned(), Some(value.to_owned()))])
    }

    #[test]
    fn no_value_is_among_the_words() {
        for (name, value) in [
            ("TOKEN", "a\nb"),
            ("HTTPS_PROXY", "http://u:p@h"),
            ("PATH", "/xyz"),
        ] {
            let environment = with(name, value).unwrap();
            let words = environment.words().join(" ");
            assert!(!words.contains(value), "{words}");
        }
        assert_eq!(with("TOKEN", "x").unwrap().words(), ["--env=TOKEN"]);
    }

    #[test]
    fn what_would_lead_the_cli_goes_through_a_file_that_it_can_open() {
        let environment = with("DOCKER_HOST", "tcp://elsewhere").unwrap();
        let mut cat = Command::new("cat");
        let words = environment.words();
        cat.arg(words[0].strip_prefix("--env-file=").unwrap());
        environment.give(&mut cat);
        let read = cat.output().unwrap();
        assert_eq!(read.stdout, b"DOCKER_HOST=tcp://elsewhere\n");
        assert_eq!(cat.get_envs().count(), 0);
    }

    #[test]
    fn values_among_the_options_of_a_service_are_taken_apart() {
        let options = [
            "--env-add=A=1=2",
            "--env=B=3",
            "--env-rm=C",
            "--env-add=PATH=/x",
            "--label=x=y",
        ];
        let mut environment = Environment::default();
        let named = environment.take(&options.map(str::to_owned));
        let expected = [
            "--env-add=A",
            "--env=B",
            "--env-rm=C",
            "--env-add=PATH=/x",
            "--label=x=y",
        ];
        assert_eq!(named, expected);
        let mut env = Command::new("env");
        environment.give(env.env_clear());
        assert_eq!(env.output().unwrap().stdout, b"A=1=2\nB=3\n");
    }

    #[test]
    fn what_no_way_can_carry_is_refused_by_name() {
        let refused = |name: &str, value: &str| with(name, value).unwrap_err().to_string();
        assert!(refused("PATH", "a\nb").contains("the value of PATH"));
        assert!(refused("XDG_X", &"x".repeat(66_000)).contains("XDG_X"));
        assert!(refused("BIG", &"x".repeat(131_070)).contains("128 KiB"));
        assert!(!refused("", "hunter2").contains("hunter2"));
        assert!(with("BIG", &"x".repeat(70_000)).is_ok());
    }
}
