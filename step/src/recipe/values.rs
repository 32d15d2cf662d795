//! The values of run options. A recipe has names in their places, as labels are there for everybody to see.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::environment::{Environment, Uncarried};
use crate::model::run_options::{Edit, Flag, edited, flags};
use crate::text::secrets::{HIDDEN, Secrets};

/// Options of log drivers whose values are sizes and numbers. Any other may be a token or an address with a password.
const PLAIN_LOG_OPTIONS: [&str; 5] = [
    "compress",
    "max-buffer-size",
    "max-file",
    "max-size",
    "mode",
];

/// Where the value of a variable came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// It stood among the options.
    Given,
    /// The caller's environment had it.
    Caller,
    /// It stood among the options, and what has replaced the release has another value: it is gone with the release.
    Changed,
}

/// Run options, and the values that they are without.
#[derive(Debug, Default)]
pub struct Given {
    /// The options with names alone.
    pub options: Vec<String>,
    /// Where each variable's value came from; one that had none is not here.
    pub sources: BTreeMap<String, Source>,
    /// The values that stood among them.
    pub values: Values,
}

/// A container's variables: a value, or none.
pub type Variables<'a> = BTreeMap<&'a str, Option<&'a str>>;

/// Values by their names.
#[derive(Default)]
pub struct Values {
    /// Of variables.
    pub env: BTreeMap<String, String>,
    /// Of the log driver's options.
    pub log: BTreeMap<String, String>,
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.env.keys().chain(self.log.keys());
        f.debug_list().entries(names).finish()
    }
}

impl Given {
    /// What was given by the caller.
    pub fn of(options: &[String]) -> Self {
        let mut given = Self::default();
        for flag in flags(options) {
            given.note(flag);
        }
        given.options = edited(options, named);
        given
    }

    fn note(&mut self, flag: Flag<'_>) {
        let pair = flag.value.split_once('=');
        match (flag.name, pair) {
            ("env", Some((name, value))) => {
                self.sources.insert(name.to_owned(), Source::Given);
                self.values.env.insert(name.to_owned(), value.to_owned());
            }
            ("env", None) => {
                // The last one counts.
                self.sources.remove(flag.value);
                self.values.env.remove(flag.value);
                if std::env::var_os(flag.value).is_some() {
                    self.sources.insert(flag.value.to_owned(), Source::Caller);
                }
            }
            ("log-opt", Some((name, value))) => {
                self.values.log.insert(name.to_owned(), value.to_owned());
            }
            _ => {}
        }
    }
}

/// A flag with the name in its value's place.
fn named(flag: Flag<'_>) -> Edit {
    match (flag.name, flag.value.split_once('=')) {
        ("env", Some((name, _))) => Edit::Value(name.to_owned()),
        ("log-opt", Some((name, _))) if !PLAIN_LOG_OPTIONS.contains(&name) => {
            Edit::Value(name.to_owned())
        }
        _ => Edit::Keep,
    }
}

/// The options with names alone, and the variables that had a value among them.
pub(super) fn without_values(options: &[String]) -> (Vec<String>, Vec<String>) {
    let variables = flags(options).into_iter().filter(|flag| flag.name == "env");
    let given = variables.filter_map(|flag| Some(flag.value.split_once('=')?.0.to_owned()));
    (edited(options, named), given.collect())
}

/// The options of a log driver that stand there without their values.
pub(crate) fn log_names(options: &[String]) -> impl Iterator<Item = &str> {
    let all = flags(options).into_iter();
    all.filter(|flag| flag.name == "log-opt" && !flag.value.contains('='))
        .map(|flag| flag.value)
}

/// Run options as the CLI is given them, with their values beside them.
#[derive(Debug)]
pub struct Filled {
    /// The words, without the image and what comes after it.
    pub options: Vec<String>,
    /// The values of variables.
    pub environment: Environment,
}

impl Filled {
    /// A recipe's options with these values. Variables without one among them are the caller's; of env files all are
    /// read but those that are `gone`.
    ///
    /// # Errors
    /// When a value can be given to no program.
    pub fn new(named: &[String], values: &Values, gone: &[String]) -> Result<Self, Uncarried> {
        let env = values.env.iter();
        let env = env.map(|(name, value)| (name.clone(), Some(value.clone())));
        let options = edited(named, |flag| match flag.name {
            "env" if values.env.contains_key(flag.value) => Edit::Drop,
            "env-file" if gone.iter().any(|path| path == flag.value) => Edit::Drop,
            _ => with_value(flag, &values.log),
        });
        Self::with(options, env.collect())
    }

    /// A recipe's options with the variables that another container of it has, whatever its env files are by now.
    ///
    /// # Errors
    /// When a value can be given to no program.
    pub fn like(
        named: &[String],
        variables: &Variables<'_>,
        log: &BTreeMap<String, String>,
    ) -> Result<Self, Uncarried> {
        let env = variables.iter();
        let env = env.map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)));
        let options = edited(named, |flag| match flag.name {
            "env" | "env-file" => Edit::Drop,
            _ => with_value(flag, log),
        });
        Self::with(options, env.collect())
    }

    fn with(
        mut options: Vec<String>,
        env: Vec<(String, Option<String>)>,
    ) -> Result<Self, Uncarried> {
        let environment = Environment::new(env)?;
        options.extend(environment.words());
        Ok(Self {
            options,
            environment,
        })
    }
}

fn with_value(flag: Flag<'_>, log: &BTreeMap<String, String>) -> Edit {
    match log.get(flag.value).filter(|_| flag.name == "log-opt") {
        Some(value) => Edit::Value(format!("{}={value}", flag.value)),
        None => Edit::Keep,
    }
}

/// What must not be shown of options and a command: an option's value is shown by the option's name.
pub fn secrets_of_options(options: &[String], command: &[String]) -> Secrets {
    let mut secrets = Secrets::default();
    for flag in flags(options) {
        if flag.names_a_file() {
            continue;
        }
        let shown = match flag.name {
            "env" => HIDDEN.to_owned(),
            _ => format!("<{}>", flag.shown()),
        };
        // A list such as `type=volume,src=data`, or a pair of paths.
        let parts = flag.value.split([',', ':', '=']);
        let right = flag
            .value
            .split(',')
            .filter_map(|part| Some(part.split_once('=')?.1));
        for value in [flag.value].into_iter().chain(right).chain(parts) {
            secrets.hide(value, &shown);
        }
    }
    let words = command.iter();
    words.for_each(|word| secrets.hide(word, "<the command>"));
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    fn given(options: &str) -> Given {
        Given::of(&words(options))
    }

    #[test]
    fn values_are_kept_apart_from_names() {
        let found =
            given("-e A=1 --env=B=x=y -eC= --log-opt tag=t --log-opt=max-size=1m -e NO_SUCH");
        let named = words("-e A --env=B -eC --log-opt tag --log-opt=max-size=1m -e NO_SUCH");
        assert_eq!(found.options, named);
        assert_eq!(found.values.env["B"], "x=y");
        assert_eq!(found.values.env["C"], "");
        assert_eq!(found.values.log["tag"], "t");
        assert!(!found.sources.contains_key("NO_SUCH"));
        assert_eq!(found.sources["A"], Source::Given);
    }

    #[test]
    fn the_last_of_one_name_counts() {
        assert_eq!(given("-e A=1 -e A=2").values.env["A"], "2");
        let last = given("-e PATH=1 -e PATH");
        assert!(last.values.env.is_empty());
        assert_eq!(last.sources["PATH"], Source::Caller);
    }

    #[test]
    fn what_is_filled_in_has_no_value_of_a_variable_among_its_words() {
        let found = given("-it -e A=hunter2 -e B --log-opt tag=t --env-file x.env");
        let filled = Filled::new(&found.options, &found.values, &[]).unwrap();
        let expected = words("-it -e B --log-opt tag=t --env-file x.env --env=A");
        assert_eq!(filled.options, expected);
        let without = Filled::new(&found.options, &found.values, &["x.env".to_owned()]).unwrap();
        assert!(!without.options.contains(&"x.env".to_owned()));
        let variables = BTreeMap::from([("A", Some("hunter2")), ("GONE", None)]);
        let like = Filled::like(&found.options, &variables, &found.values.log).unwrap();
        assert_eq!(
            like.options,
            ["-it", "--log-opt", "tag=t", "--env=A", "--env=GONE"]
        );
    }
}
