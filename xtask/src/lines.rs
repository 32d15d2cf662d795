//! What the steps are given besides, one line for each argument, as deploy.sh reads them from an app's file.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

/// Whose arguments lines can be: a step's, every step's, or those of start-candidate when it goes back.
const WORDS: [&str; 7] = [
    EACH,
    ROLLBACK,
    "pull-image",
    "start-candidate",
    "probe-health",
    "promote",
    "prune-app",
];
/// Every step's.
pub(crate) const EACH: &str = "each";
/// The step that goes back takes ports and run options from the release that it goes back to.
pub(crate) const ROLLBACK: &str = "rollback";
/// Behind it stand options of `docker run`.
const RUN_OPTIONS: &str = "--";

/// An argument, behind the word that says whose it is.
type Line = (&'static str, String);

/// Arguments for steps.
#[derive(Debug, Default, Clone)]
pub(crate) struct Lines(Vec<Line>);

impl Lines {
    /// Those of a file such as `/etc/deploy-steps/web.conf`.
    ///
    /// # Errors
    /// When it cannot be read, or a line begins with no word of ours.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Lines> {
        let text = fs::read_to_string(file);
        let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
        let mut lines = Lines::default();
        for (number, line) in (1..).zip(text.lines()) {
            if !line.trim().is_empty() && !line.starts_with('#') {
                let place = || format!("line {number} of {}", file.display());
                lines.push(line).with_context(place)?;
            }
        }
        Ok(lines)
    }

    /// Adds a line, `STEP ARGUMENT`.
    ///
    /// # Errors
    /// When it begins with no word of ours, or has no argument.
    pub(crate) fn push(&mut self, line: &str) -> anyhow::Result<()> {
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        let Some(word) = WORDS.into_iter().find(|it| *it == word) else {
            let words = WORDS.join(", ");
            bail!("`{word}` is no step: begin the line with one of {words}");
        };
        ensure!(!argument.is_empty(), "`{line}` has no argument");
        self.0.push((word, argument.to_owned()));
        Ok(())
    }

    /// Adds a flag of a step, glued to its value so that no value can be taken for a flag.
    pub(crate) fn flag(&mut self, step: &'static str, name: &str, value: Option<&str>) {
        let argument = value.map(|value| format!("{name}={value}"));
        self.0.extend(argument.map(|argument| (step, argument)));
    }

    /// Adds a flag without a value.
    pub(crate) fn switch(&mut self, step: &'static str, name: &str, on: bool) {
        self.0.extend(on.then(|| (step, name.to_owned())));
    }

    /// Those of `nearer` win: a flag that stands in them, too, is left out of these.
    pub(crate) fn below(mut self, nearer: Lines) -> Lines {
        let name = |argument: &str| argument.split('=').next().map(str::to_owned);
        // A flag's value may stand on the next line.
        let mut left_out = None;
        self.0.retain(|(word, argument)| {
            if left_out == Some(*word) && !argument.starts_with('-') {
                return false;
            }
            let same = |(its, other): &Line| its == word && name(other) == name(argument);
            let wins = argument != RUN_OPTIONS && nearer.0.iter().any(same);
            left_out = wins.then_some(*word);
            !wins
        });
        let (options, flags) = self.split();
        let (more_options, more_flags) = nearer.split();
        Lines([flags, more_flags, options, more_options].concat())
    }

    /// The arguments for these words: what is each step's first, as behind a step's own `--` it would be an option of
    /// the app.
    pub(crate) fn of(&self, word: &str) -> Vec<String> {
        let of = |word: &str| {
            let its = self.0.iter().filter(move |line| line.0 == word);
            its.map(|line| line.1.clone()).collect::<Vec<String>>()
        };
        [of(EACH), of(word)].concat()
    }

    /// The lines behind each step's first `--` with it, and the others.
    fn split(self) -> (Vec<Line>, Vec<Line>) {
        let mut behind: Vec<&str> = Vec::new();
        self.0.into_iter().partition(|(word, argument)| {
            if argument == RUN_OPTIONS && !behind.contains(word) {
                behind.push(word);
            }
            behind.contains(word)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(all: &[&str]) -> Lines {
        let mut lines = Lines::default();
        all.iter().for_each(|line| lines.push(line).unwrap());
        lines
    }

    #[test]
    fn a_step_has_its_own_lines_behind_those_of_each() {
        let of = lines(&["promote --drain=5s", "each --quiet", "probe-health --tcp"]);
        assert_eq!(of.of("promote"), ["--quiet", "--drain=5s"]);
        assert_eq!(of.of("prune-app"), ["--quiet"]);
    }

    #[test]
    fn the_nearer_line_wins_and_flags_stand_before_run_options() {
        let file = lines(&[
            "start-candidate --publish",
            "start-candidate 80:8080",
            "start-candidate --",
            "start-candidate --env-file=/etc/web.env",
            "promote --drain=5s",
        ]);
        let nearer = lines(&[
            "start-candidate --publish=81:8080",
            "start-candidate --replace",
        ]);
        let both = file.below(nearer);
        let start = [
            "--publish=81:8080",
            "--replace",
            "--",
            "--env-file=/etc/web.env",
        ];
        assert_eq!(both.of("start-candidate"), start);
        assert_eq!(both.of("promote"), ["--drain=5s"]);
    }

    #[test]
    fn a_line_of_no_step_or_without_an_argument_is_refused() {
        for line in [
            "promot --drain=5s",
            "promote",
            "promote ",
            "promote\t--x",
            "",
        ] {
            assert!(Lines::default().push(line).is_err(), "{line:?}");
        }
    }
}
