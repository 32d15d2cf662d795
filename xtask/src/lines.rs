//! What the steps are given besides, one line for each argument, as deploy.sh reads them from an app's file: a line is
//! taken as it is meant, or refused.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

/// What may stand around words; a file may come from Windows.
const BLANKS: [char; 3] = [' ', '\t', '\r'];
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
/// The step that goes back takes ports from the release that it goes back to. The run options are the administrator's.
pub(crate) const ROLLBACK: &str = "rollback";
/// Behind it stand options of `docker run`.
const RUN_OPTIONS: &str = "--";

/// What all steps must be given alike.
const IDENTITY: [&str; 2] = ["--app", "--container"];

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
            let line = line.trim_matches(BLANKS);
            if !line.is_empty() && !line.starts_with('#') {
                let place = || format!("line {number} of {}", file.display());
                lines.push(line).with_context(place)?;
            }
        }
        Ok(lines)
    }

    /// Adds a line, `STEP ARGUMENT`; a flag and its value may be two arguments, `-e LOG=info`, also behind dashes that
    /// run options begin with.
    ///
    /// # Errors
    /// When it begins with no word of ours, has no argument, or may be meant otherwise than it would be read.
    pub(crate) fn push(&mut self, line: &str) -> anyhow::Result<()> {
        let line = line.trim_matches(BLANKS);
        let (word, argument) = line.split_once(BLANKS).unwrap_or((line, ""));
        let Some(word) = WORDS.into_iter().find(|it| *it == word.replace('_', "-")) else {
            bail!("{word} is no step: begin with each, rollback or the name of one");
        };
        let argument = argument.trim_start_matches(BLANKS);
        ensure!(
            !argument.is_empty(),
            "{word} is given nothing: write its argument behind it"
        );
        ensure!(
            !argument.contains(" #") && !argument.contains("\t#"),
            "a comment needs a line of its own"
        );
        ensure!(
            !argument.ends_with('\\'),
            "a backslash joins no lines: write one argument a line"
        );
        self.argument(word, argument)
    }

    fn argument(&mut self, word: &'static str, argument: &str) -> anyhow::Result<()> {
        let has_options = self
            .0
            .iter()
            .any(|it| *it == (word, RUN_OPTIONS.to_owned()));
        let behind = argument.strip_prefix(RUN_OPTIONS);
        if let Some(behind) = behind.filter(|it| it.starts_with(BLANKS)) {
            let dashes = (!has_options).then(|| (word, RUN_OPTIONS.to_owned()));
            self.0.extend(dashes);
            return self.argument(word, behind.trim_start_matches(BLANKS));
        }
        let name = argument.split(['=', ' ', '\t']).next();
        ensure!(
            word == EACH || has_options || name.is_none_or(|it| !IDENTITY.contains(&it)),
            "what names the app or its container is for all steps: begin with each"
        );
        let blank = argument.find(['=', ' ', '\t']);
        let is_flag = argument.starts_with('-') && argument.len() > 1;
        let apart = blank.filter(|at| is_flag && *at > 1 && !argument[*at..].starts_with('='));
        let (flag, value) = argument.split_at(apart.unwrap_or(0));
        for given in [flag, value.trim_start_matches(BLANKS)] {
            ensure!(
                !is_quoted(given),
                "leave the quotes out, as no shell reads this line"
            );
            self.0
                .extend((!given.is_empty()).then(|| (word, given.to_owned())));
        }
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
        let own = [of(EACH), of(word)].concat();
        if word != ROLLBACK || own.iter().any(|it| it == RUN_OPTIONS) {
            return own;
        }
        // Values stand in no label, so the release before cannot bring all of them.
        let start = of("start-candidate");
        let options = start.into_iter().skip_while(|it| it != RUN_OPTIONS);
        own.into_iter().chain(options).collect()
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

/// Whether a value is one that a shell would take the quotes from.
fn is_quoted(argument: &str) -> bool {
    let behind_first = argument.split_once('=').map(|it| it.1);
    let behind_last = argument.rsplit_once('=').map(|it| it.1);
    let values = [Some(argument), behind_first, behind_last];
    values.into_iter().flatten().any(|value| {
        ['"', '\''].into_iter().any(|quote| {
            let inner = value.strip_prefix(quote);
            let inner = inner.and_then(|it| it.strip_suffix(quote));
            inner.is_some_and(|inner| !inner.contains(quote))
        })
    })
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
    fn a_rollback_has_the_run_options_of_the_candidate_unless_it_has_its_own() {
        let file = [
            "start-candidate --publish=80:8080",
            "start-candidate --",
            "start-candidate -e A=b",
        ];
        let of = lines(&[&file[..], &["rollback --replace"]].concat());
        assert_eq!(of.of(ROLLBACK), ["--replace", "--", "-e", "A=b"]);
        let of = lines(&[&file[..], &["rollback --", "rollback -e A=c"]].concat());
        assert_eq!(of.of(ROLLBACK), ["--", "-e", "A=c"]);
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
    fn a_line_is_taken_as_it_is_meant() {
        let meant: [(&str, &[&str]); 11] = [
            ("start-candidate\t--publish=80:8080", &["--publish=80:8080"]),
            ("  start_candidate --replace \r", &["--replace"]),
            ("start-candidate -e LOG=info", &["-e", "LOG=info"]),
            ("start-candidate --env=A=b  c", &["--env=A=b  c"]),
            ("start-candidate --memory  512m", &["--memory", "512m"]),
            ("start-candidate --", &["--"]),
            ("start-candidate -- -e A=b c", &["--", "-e", "A=b c"]),
            ("start-candidate --\t--label=a=b", &["--", "--label=a=b"]),
            ("start-candidate -- -- sh", &["--", "sh"]),
            ("start-candidate echo \"it's\" me", &["echo \"it's\" me"]),
            (
                "start-candidate --x=\"status\":\"ok\"",
                &["--x=\"status\":\"ok\""],
            ),
        ];
        for (line, arguments) in meant {
            assert_eq!(lines(&[line]).of("start-candidate"), arguments, "{line}");
        }
    }

    #[test]
    fn dashes_before_each_run_option_begin_the_run_options_once() {
        let options = lines(&["start-candidate -- -e A=b", "start-candidate -- --tty"]);
        let shown = ["--", "-e", "A=b", "--tty"];
        assert_eq!(options.of("start-candidate"), shown);
    }

    #[test]
    fn what_names_the_container_is_for_all_steps_and_may_be_a_word_of_the_app() {
        let all = lines(&["each --container=other", "start-candidate -- --app=mine"]);
        assert_eq!(all.of("promote"), ["--container=other"]);
        let start = ["--container=other", "--", "--app=mine"];
        assert_eq!(all.of("start-candidate"), start);
    }

    #[test]
    fn a_line_that_may_be_meant_otherwise_is_refused() {
        for line in [
            "promot --drain=5s",
            "promote",
            "promote ",
            "",
            "promote --drain=5s # of it",
            "start-candidate --env=\"A=b c\"",
            "start-candidate --env=A='b c'",
            "start-candidate -e \"A=b\"",
            "start-candidate -- -e \"A=b\"",
            "start-candidate --env=A=b \\",
            "start-candidate --container=other",
            "probe-health --container other",
            "rollback --app=other",
        ] {
            assert!(Lines::default().push(line).is_err(), "{line:?}");
        }
    }
}
