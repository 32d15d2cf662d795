//! Which app a step works on, by one source: flags, the report before, or else the environment.

use std::env;
use std::ffi::{OsStr, OsString};

use clap::builder::{Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

use super::args::StepArgs;
use super::handoff::Handoff;
use crate::model::name::{Name, Names};
use crate::text::printable;

/// Names the app where nothing else does; the other variables count only beside it.
const APP: &str = "APP_NAME";
/// As deployment scripts named them; other tools set them too, for purposes of their own.
pub(crate) const VARIABLES: [&str; 5] = [
    APP,
    "CONTAINER_NAME",
    "APP_PORT",
    "MAX_RETRIES",
    "RETRY_INTERVAL",
];

/// Which app a step works on.
#[derive(Args, Clone, Debug)]
pub struct Identity {
    /// The app, as in its images' label app=APP [env: APP_NAME, where no flag and no report names an app or a container]
    #[arg(long, value_name = "APP", env = APP, hide_env = true)]
    pub app: Option<Name>,
    /// The live container's name [default: the app]; the candidate is NAME-new, the one being replaced NAME-old
    /// [env: CONTAINER_NAME, beside APP_NAME]
    #[arg(long, value_name = "NAME", env = "CONTAINER_NAME", hide_env = true)]
    pub container: Option<Name>,
}

impl Identity {
    /// Takes from the previous report what was not given. The container of another app than the given one is not
    /// meant: a step before may have had its app from anywhere.
    pub fn fill(&mut self, handoff: &Handoff) {
        if self.app.is_none() || self.app == handoff.app {
            self.container = self.container.take().or_else(|| handoff.container.clone());
        }
        self.app = self.app.take().or_else(|| handoff.app.clone());
    }

    /// Whether it says anything.
    pub fn is_given(&self) -> bool {
        self.live().is_some()
    }

    /// The live container's name: the one given, else the app's.
    pub fn live(&self) -> Option<&Name> {
        self.container.as_ref().or(self.app.as_ref())
    }

    /// App and container names.
    ///
    /// # Errors
    /// What is missing, as a usage error says it.
    pub fn known(&self) -> Result<(&Name, &Name, Names), String> {
        let app = self.app.as_ref().ok_or(
            "--app APP is needed (or --from, or APP_NAME where no flag and no report names anything)",
        )?;
        let live = self.container.as_ref().unwrap_or(app);
        Ok((app, live, Names::of(live)))
    }
}

/// A step's arguments from its words and the report before, as [`super::main::main`] takes them.
///
/// # Errors
/// What is wrong with a word, or with a variable that counts.
pub fn arguments<A: StepArgs>(words: &[OsString], handoff: &Handoff) -> Result<A, clap::Error> {
    Ok(settled(flags(words)?, words, handoff)?.0)
}

/// The arguments as far as flags give them.
pub(crate) fn flags<A: StepArgs>(words: &[OsString]) -> Result<A, clap::Error> {
    Ok(parsed(words, |_| false)?.0)
}

/// The arguments with all that the report before gives, or else the environment, and the line that says so.
pub(crate) fn settled<A: StepArgs>(
    mut args: A,
    words: &[OsString],
    handoff: &Handoff,
) -> Result<(A, Option<String>), clap::Error> {
    args.fill(handoff);
    if args.is_named() || handoff.is_named() || !is_set(APP) {
        return Ok((args, None));
    }
    let (mut args, matches) = parsed::<A>(words, is_set).map_err(of_a_variable)?;
    args.fill(handoff);
    Ok((args, Some(told(&A::command(), &matches))))
}

/// A variable that is empty is none.
fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn parsed<A: StepArgs>(
    words: &[OsString],
    counts: fn(&str) -> bool,
) -> Result<(A, ArgMatches), clap::Error> {
    let is_none = |name: &OsStr| {
        let is_empty = env::var_os(name).is_some_and(|value| value.is_empty());
        is_empty || variable(name).is_some_and(|name| !counts(name))
    };
    let mut command = A::command().mut_args(|arg| match arg.get_env() {
        Some(name) if is_none(name) => arg.env(Resettable::Reset),
        _ => arg,
    });
    let matches = command.try_get_matches_from_mut(words)?;
    let args = A::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((args, matches))
}

/// The words alone were right.
fn of_a_variable(mut error: clap::Error) -> clap::Error {
    let tip = "the value is that of a variable: no flag and no report names an app or a container, and APP_NAME is set";
    let tips = vec![StyledStr::from(tip)];
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}

fn variable(name: &OsStr) -> Option<&'static str> {
    VARIABLES.into_iter().find(|known| name == *known)
}

/// What came from which variable.
fn told(command: &Command, matches: &ArgMatches) -> String {
    let read = command.get_arguments().filter_map(|arg| {
        let name = arg.get_env().and_then(variable)?;
        let id = arg.get_id().as_str();
        matches
            .value_source(id)
            .filter(|source| *source == ValueSource::EnvVariable)?;
        let value = matches.get_raw(id)?.next()?.to_string_lossy();
        let value = printable(&value, 200);
        Some(format!("{} {value} (from {name})", arg.get_long()?))
    });
    let read: Vec<String> = read.collect();
    format!("{}: {}", command.get_name(), read.join(", "))
}
