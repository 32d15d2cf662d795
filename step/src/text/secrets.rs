//! Values that are never shown. All foreign text passes through here on its way to a message, a report or a log line.

use std::collections::HashMap;

use super::{encodings, printable};

/// What stands in a secret's place.
pub const HIDDEN: &str = "***";
/// Values with fewer characters stay visible, or a log could not say `port 8080`.
const SHORTEST: usize = 6;
/// A value with letters and digits of this length is no part of a longer word by chance.
const UNMISTAKABLE: usize = 10;
/// Of a value longer than this any part of [`PART`] characters is hidden, as a log driver cuts long lines.
const LONG: usize = 200;
const PART: usize = 32;
/// Values that say nothing, and are words of messages themselves.
const COMMON: [&str; 44] = [
    "/dev/null",
    "/dev/stderr",
    "/dev/stdout",
    "/health",
    "0.0.0.0",
    "127.0.0.1",
    "active",
    "always",
    "application",
    "c.utf-8",
    "container",
    "critical",
    "database",
    "default",
    "develop",
    "development",
    "disabled",
    "docker",
    "enabled",
    "en_us.utf-8",
    "example",
    "health",
    "localhost",
    "master",
    "memory",
    "network",
    "postgres",
    "primary",
    "private",
    "process",
    "production",
    "public",
    "release",
    "replica",
    "required",
    "server",
    "service",
    "staging",
    "system",
    "testing",
    "unknown",
    "verbose",
    "warning",
    "worker",
];

/// Values that are never shown, each with what stands in its place.
#[derive(Clone, Default)]
pub struct Secrets {
    forms: Vec<Form>,
    long: Vec<(String, String)>,
}

#[derive(Clone)]
struct Form {
    text: String,
    shown: String,
    /// Whether it is hidden only where it stands alone.
    is_word: bool,
}

/// A place in a text, and what is shown there.
type Place<'a> = (usize, usize, &'a str);

impl Secrets {
    /// Hides these values wherever they stand alone.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.hide(value, HIDDEN));
        all
    }

    /// Hides one more value, of which `shown` stands in its place. Short and common ones stay: they tell nobody
    /// anything, and messages are made of them.
    pub fn hide(&mut self, value: &str, shown: &str) {
        let lines = value.lines().map(str::trim).filter(|line| *line != value);
        for part in [value].into_iter().chain(lines) {
            if !is_worth_hiding(part) {
                continue;
            }
            let is_word = !is_unmistakable(part);
            let forms = encodings::of(part).into_iter();
            self.forms.extend(forms.map(|text| Form {
                text,
                shown: shown.to_owned(),
                is_word,
            }));
        }
        if value.chars().count() > LONG {
            self.long.push((value.to_owned(), shown.to_owned()));
        }
    }

    /// `text` without them, made harmless and cut to `longest` characters.
    pub fn show(&self, text: &str, longest: usize) -> String {
        printable(&self.without(text), longest)
    }

    /// The last `count` lines of `text`, each shown and led by `| `, so that no line can start with what a CI runner
    /// reads as a command.
    pub fn tail(&self, text: &str, count: usize) -> Vec<String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines: Vec<&str> = lines.collect();
        lines[lines.len().saturating_sub(count)..]
            .iter()
            .map(|line| format!("| {}", self.show(line, 500)))
            .collect()
    }

    fn without(&self, text: &str) -> String {
        let mut places: Vec<Place<'_>> = self.parts_of_long_ones(text);
        for form in &self.forms {
            let found = text.match_indices(&form.text);
            let found = found.map(|(at, it)| (at, at + it.len(), form.shown.as_str()));
            places.extend(
                found.filter(|(from, to, _)| !form.is_word || stands_alone(text, *from, *to)),
            );
        }
        places.sort_unstable_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)));
        let (mut out, mut done) = (String::new(), 0);
        for (from, to, shown) in places {
            if from >= done {
                out.push_str(&text[done..from]);
                out.push_str(shown);
            }
            done = done.max(to);
        }
        out + &text[done..]
    }

    fn parts_of_long_ones(&self, text: &str) -> Vec<Place<'_>> {
        let mut known: HashMap<&str, &str> = HashMap::new();
        for (value, shown) in &self.long {
            known.extend(parts(value).map(|(from, to)| (&value[from..to], shown.as_str())));
        }
        if known.is_empty() {
            return Vec::new();
        }
        let found =
            parts(text).filter_map(|(from, to)| Some((from, to, *known.get(&text[from..to])?)));
        found.collect()
    }
}

/// Every part of [`PART`] characters.
fn parts(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let starts = text.char_indices().map(|(at, _)| at);
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    starts.zip(ends.skip(PART - 1))
}

fn is_worth_hiding(value: &str) -> bool {
    let value = value.trim();
    value.chars().count() >= SHORTEST && !COMMON.contains(&value.to_lowercase().as_str())
}

fn is_unmistakable(value: &str) -> bool {
    let has = |is: fn(char) -> bool| value.contains(is);
    value.chars().count() >= UNMISTAKABLE && has(char::is_alphabetic) && has(char::is_numeric)
}

/// Whether what stands there is no part of a longer word.
fn stands_alone(text: &str, from: usize, to: usize) -> bool {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (before, it, after) = (&text[..from], &text[from..to], &text[to..]);
    let goes_on_before = in_word(before.chars().next_back()) && in_word(it.chars().next());
    let goes_on_after = in_word(after.chars().next()) && in_word(it.chars().next_back());
    // `\n` and `%0A` before it are no letters of a word.
    let is_escape = before.ends_with(['n', 't', 'r']) && before[..before.len() - 1].ends_with('\\');
    (!goes_on_before || is_escape) && !goes_on_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_hidden_and_never_a_word_of_the_message() {
        let secrets = Secrets::of(["e", "1", "response", "production", "memory", "hunter2"]);
        let said = "Error response from daemon: 1 memory limit hunter2 in production";
        assert_eq!(
            secrets.show(said, 200),
            "Error *** from daemon: 1 memory limit *** in production"
        );
        let said = "Errorresponse responses xhunter2 hunter2s hunter2-x";
        assert_eq!(
            secrets.show(said, 200),
            "Errorresponse responses xhunter2 hunter2s ***-x"
        );
    }

    #[test]
    fn an_options_value_is_shown_by_its_options_name() {
        let mut secrets = Secrets::default();
        secrets.hide("network", "<--network>");
        secrets.hide("my-network", "<--network>");
        assert_eq!(
            secrets.show("network my-network not found", 200),
            "network <--network> not found"
        );
    }

    #[test]
    fn a_secret_is_hidden_whole_quoted_and_line_by_line() {
        let secrets = Secrets::of(["say \"hunter2\"", "top\nhunter3\u{1}\nhunter4word\n}"]);
        for text in [
            r#"bad: say "hunter2"."#,
            r#"bad: "say \"hunter2\"""#,
            r#"bad: "top\nhunter3\x01\nhunter4word\n}""#,
            r#"cut: "\nhunter4word\n"#,
            "hunter3\u{1}",
            "Basic c2F5ICJodW50ZXIyIg==",
            "?q=say%20%22hunter2%22",
        ] {
            let shown = secrets.show(text, 500);
            assert!(
                !shown.contains("hunter") && shown.contains(HIDDEN),
                "{shown}"
            );
        }
        assert_eq!(secrets.show("{top}", 500), "{top}");
    }

    #[test]
    fn a_part_of_a_long_value_is_hidden_wherever_a_log_driver_cuts_it() {
        let long: String = (0..20_000).map(|n: u32| format!("{n:x}-")).collect();
        let secrets = Secrets::of([long.as_str()]);
        let shown = secrets.show(&format!("log: {} end", &long[40_000..56_384]), 500);
        assert_eq!(shown, "log: *** end");
    }

    #[test]
    fn control_characters_and_ci_commands_lose_their_power() {
        let lines = Secrets::default().tail("::error::x\n\u{1b}[31mred\n a ##[error]b\n", 5);
        assert_eq!(
            lines,
            ["| ::error::x", "| \\u{1b}[31mred", "| a # #[error]b"]
        );
    }
}
