//! Going back to a release: its recipe has names, and their values are wherever they still are.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::marks::{self, Marks, recipe_of};
use crate::engine::container::Container;
use crate::engine::swarm::service::Service;
use crate::model::run_options::{Flag, flags};
use crate::recipe::values::{Source, Values, Variables, log_names};
use crate::recipe::{Previous, Recipe};

/// What is missing of a release that was started by hand.
pub const RUN_OPTIONS: &str = "the run options";

/// What a container or a service that is live has of values.
#[derive(Debug)]
pub struct Live<'a> {
    variables: Variables<'a>,
    log: BTreeMap<String, String>,
    recipe: Option<Recipe>,
    /// Whether the values are for a release that is made as it is itself.
    is_model: bool,
}

/// The values of a release to go back to, as far as they are found.
#[derive(Debug, Default)]
pub struct Found {
    /// With their names.
    pub values: Values,
    /// The names of those that the live one has lent.
    pub from_live: Vec<String>,
    /// Env files that do not exist any more. The live one was made with them, and has what they held.
    pub gone: Vec<String>,
    /// Names and files whose values are nowhere.
    pub missing: Vec<String>,
}

/// Whether a rollback to what was just replaced would have all values.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WayBack {
    /// Whether all are to be had.
    pub open: bool,
    /// Names of variables and paths of files whose values are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl WayBack {
    /// To a release of this recipe from what is live now. One without a recipe was started by hand, with options that
    /// nobody knows.
    pub fn to(recipe: Option<&Recipe>, live: &Live<'_>) -> Self {
        let missing = match recipe {
            Some(recipe) => Found::of(recipe, live).missing,
            None => vec![RUN_OPTIONS.to_owned()],
        };
        Self {
            open: missing.is_empty(),
            missing,
        }
    }
}

impl<'a> Live<'a> {
    /// Of a container.
    pub fn container(container: &'a Container) -> Self {
        Self {
            variables: container.variables(),
            log: container.host_config.log_options().clone(),
            recipe: recipe_of(container),
            is_model: false,
        }
    }

    /// The same, for a release that is made as it is.
    #[must_use]
    pub fn as_model(self) -> Self {
        Self {
            is_model: true,
            ..self
        }
    }

    /// Of a service.
    pub fn service(service: &'a Service) -> Self {
        Self {
            variables: service.variables(),
            log: service.log_options(),
            recipe: Marks::of_service(service).map(|marks| marks.recipe),
            is_model: false,
        }
    }

    /// Whether it was made with the same file. A file of a process, as of `<(…)`, was another one at each deployment.
    fn has_file(&self, recipe: &Recipe, flag: &str, path: &str) -> bool {
        if is_of_a_process(path) && !self.is_model {
            return false;
        }
        self.recipe.as_ref().is_some_and(|own| {
            let same_place = path.starts_with('/') || own.folder == recipe.folder;
            same_place && files(own).any(|(its, file)| its == flag && file == path)
        })
    }

    /// What its env files held: all variables but those of its image and those that were given by name.
    fn of_its_files(&self, image: &[String]) -> impl Iterator<Item = (&str, &str)> {
        let named = self.recipe.as_ref().map(|recipe| &recipe.values);
        let all = self.variables.iter();
        all.filter_map(|(name, value)| Some((*name, (*value)?)))
            .filter(move |(name, _)| named.is_none_or(|named| !named.contains_key(*name)))
            .filter(|(name, value)| !image.contains(&format!("{name}={value}")))
    }
}

/// What a container of `recipe` with these variables would go back to in the place of `old`. Values that it does not
/// have go with the old one.
pub fn replaced(recipe: &Recipe, old: &Container, new: &Variables<'_>) -> Previous {
    changed(marks::replaced(recipe, old), &old.variables(), new)
}

/// The same of a release that is known already.
pub fn changed(mut previous: Previous, was: &Variables<'_>, new: &Variables<'_>) -> Previous {
    let values = previous.recipe.iter_mut().flat_map(|it| &mut it.values);
    for (name, source) in values.filter(|(_, source)| **source == Source::Given) {
        if was.get(name.as_str()) != new.get(name.as_str()) {
            *source = Source::Changed;
        }
    }
    previous
}

impl Found {
    /// For a recipe, beside what is live.
    pub fn of(recipe: &Recipe, live: &Live<'_>) -> Self {
        let mut found = Self::default();
        for (name, source) in &recipe.values {
            let has_caller = *source == Source::Caller && std::env::var_os(name).is_some();
            match live.variables.get(name.as_str()) {
                _ if has_caller => {}
                _ if *source == Source::Changed => found.missing.push(name.clone()),
                Some(Some(value)) => {
                    found.values.env.insert(name.clone(), (*value).to_owned());
                    found.from_live.push(name.clone());
                }
                _ => found.missing.push(name.clone()),
            }
        }
        for name in log_names(&recipe.options) {
            let shown = format!("--log-opt {name}");
            match live.log.get(name) {
                Some(value) => {
                    found.values.log.insert(name.to_owned(), value.clone());
                    found.from_live.push(shown);
                }
                None => found.missing.push(shown),
            }
        }
        for (flag, path) in files(recipe) {
            if exists(&recipe.folder, &path) {
                continue;
            }
            if flag == "env-file" && live.has_file(recipe, &flag, &path) {
                found.from_live.push(path.clone());
                found.gone.push(path);
            } else {
                found.missing.push(path);
            }
        }
        found
    }

    /// Takes what the files that are gone held from what is live, whose image has this environment. What is given by
    /// name goes before it.
    pub fn fill_from(&mut self, live: &Live<'_>, image: &[String], recipe: &Recipe) {
        for (name, value) in live.of_its_files(image) {
            if !recipe.values.contains_key(name) {
                self.values.env.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// The files with variables or labels that a recipe names, each with its flag.
fn files(recipe: &Recipe) -> impl Iterator<Item = (String, String)> {
    let all = flags(&recipe.options).into_iter();
    all.filter(Flag::names_a_file)
        .map(|flag| (flag.name.to_owned(), flag.value.to_owned()))
}

/// A number of a process's own, as of `<(…)`, is another file in another process.
fn is_of_a_process(path: &str) -> bool {
    const OF_A_PROCESS: [&str; 3] = ["/dev/fd/", "/proc/", "/dev/std"];
    OF_A_PROCESS.iter().any(|it| path.starts_with(it))
}

fn exists(folder: &str, path: &str) -> bool {
    !is_of_a_process(path) && Path::new(folder).join(path).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(options: &[&str], values: &[(&str, Source)]) -> Recipe {
        Recipe {
            options: options.iter().map(|&word| word.to_owned()).collect(),
            values: values
                .iter()
                .map(|(name, source)| ((*name).to_owned(), *source))
                .collect(),
            folder: "/".to_owned(),
            ..Recipe::default()
        }
    }

    fn live(recipe: Option<Recipe>) -> Live<'static> {
        Live {
            variables: BTreeMap::from([
                ("A", Some("1")),
                ("PATH", Some("/bin")),
                ("F", Some("file")),
            ]),
            log: BTreeMap::from([("tag".to_owned(), "t".to_owned())]),
            recipe,
            is_model: false,
        }
    }

    #[test]
    fn values_come_from_the_caller_the_live_one_or_nowhere() {
        let earlier = recipe(
            &[
                "-e",
                "A",
                "-e",
                "B",
                "-e",
                "PATH",
                "-e",
                "UNSET",
                "--log-opt",
                "tag",
                "--log-opt=x",
            ],
            &[
                ("A", Source::Given),
                ("B", Source::Given),
                ("PATH", Source::Caller),
            ],
        );
        let found = Found::of(&earlier, &live(None));
        assert_eq!(
            found.values.env,
            BTreeMap::from([("A".to_owned(), "1".to_owned())])
        );
        assert_eq!(found.from_live, ["A", "--log-opt tag"]);
        assert_eq!(found.missing, ["B", "--log-opt x"]);
    }

    #[test]
    fn a_file_that_is_gone_is_missing_unless_the_live_one_was_made_with_it() {
        let earlier = recipe(
            &["-e", "A", "--env-file", "/no/such.env"],
            &[("A", Source::Given)],
        );
        assert_eq!(Found::of(&earlier, &live(None)).missing, ["/no/such.env"]);
        let beside = live(Some(recipe(&["--env-file=/no/such.env"], &[])));
        let mut found = Found::of(&earlier, &beside);
        assert!(found.missing.is_empty() && found.gone == ["/no/such.env"]);
        found.fill_from(&beside, &["PATH=/bin".to_owned()], &earlier);
        assert_eq!(found.values.env.keys().collect::<Vec<_>>(), ["A", "F"]);
    }

    #[test]
    fn a_file_of_a_process_is_the_live_ones_own_and_no_other_releases() {
        let earlier = recipe(&["--env-file", "/dev/fd/63"], &[]);
        let beside = || live(Some(recipe(&["--env-file", "/dev/fd/63"], &[])));
        assert_eq!(Found::of(&earlier, &beside()).missing, ["/dev/fd/63"]);
        let itself = Found::of(&earlier, &beside().as_model());
        assert_eq!((itself.missing.len(), itself.gone.len()), (0, 1));
    }

    #[test]
    fn a_release_that_was_started_by_hand_needs_its_options() {
        let way = WayBack::to(None, &live(None));
        assert!(!way.open && way.missing == ["the run options"]);
    }
}
