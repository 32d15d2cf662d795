//! What the CLI and the engine say of run options and of the files that they name, told without the files' content.
//!
//! The CLI quotes what it does not understand. A line of an env file that is none may well be a key's, so such a complaint
//! is told by the file and the number of the line. A complaint about an option is told by the option's name.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::environment::LONGEST_LINE;
use crate::model::run_options::{Flag, flags};
use crate::text::printable;
use crate::text::secrets::Secrets;

/// How the engine begins, other than its CLI.
const BY_ENGINE: &str = "Error response from daemon: ";

/// Why options were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// As a sentence.
    pub said: String,
    /// Whether it is about a file that an option names.
    pub is_about_file: bool,
}

/// Why these options were refused, by what the CLI wrote to its stderr. Relative paths are meant in `folder`.
pub fn refusal(stderr: &str, options: &[String], folder: &str, secrets: &Secrets) -> Refusal {
    let of_file = |said| Refusal {
        said,
        is_about_file: true,
    };
    let of_option = |said| Refusal {
        said,
        is_about_file: false,
    };
    let mut lines = stderr.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    if !first.contains(BY_ENGINE) {
        if let Some(said) = of_a_flag(first, secrets) {
            return of_option(said);
        }
        let files = files(options);
        if let Some(said) = files.iter().find_map(|file| of_a_file(file, folder)) {
            return of_file(said);
        }
        if let Some((flag, _)) = files.first().filter(|_| may_quote_a_file(first)) {
            return of_file(format!("the file of {flag} is malformed"));
        }
    }
    of_option(secrets.show(first, 300))
}

/// Of the CLI's parser, which knows the flag.
fn of_a_flag(line: &str, secrets: &Secrets) -> Option<String> {
    let after = |start: &str| line.split_once(start).map(|(_, rest)| rest);
    if let Some(rest) = after("unknown flag: ") {
        return Some(format!(
            "the engine's client knows no option {}",
            name(rest)?
        ));
    }
    if let Some(rest) = after("unknown shorthand flag: '") {
        let letter = rest.chars().next().filter(char::is_ascii_alphanumeric)?;
        return Some(format!("the engine's client knows no option -{letter}"));
    }
    if let Some(rest) = after("flag needs an argument: ") {
        let letter = rest.strip_prefix('\'').and_then(|rest| rest.chars().next());
        let flag = letter.map_or_else(|| name(rest), |letter| Some(format!("-{letter}")))?;
        return Some(format!("{flag} is given no value"));
    }
    let (before, why) = line.split_once("\" flag: ")?;
    let flag = before.rsplit_once("for \"")?.1;
    let flag = name(flag.rsplit(' ').next()?)?;
    let why = secrets.show(why, 200);
    Some(format!("the value of {flag} is malformed: {why}"))
}

/// A flag's name, which is shown if it looks like one.
fn name(text: &str) -> Option<String> {
    let name = text.split(['=', ' ']).next()?;
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    (is_plain && name.starts_with('-') && name.len() <= 30).then(|| name.to_owned())
}

/// The files with variables or labels among the options, each with its flag.
fn files(options: &[String]) -> Vec<(String, &str)> {
    let all = flags(options).into_iter();
    all.filter(Flag::names_a_file)
        .map(|flag| (flag.shown(), flag.value))
        .collect()
}

fn of_a_file((flag, path): &(String, &str), folder: &str) -> Option<String> {
    let shown = printable(path, 200);
    let place = Path::new(folder).join(path);
    let about = |error: Error| match error.kind() {
        ErrorKind::NotFound => format!("the file of {flag} does not exist: {shown}"),
        _ => format!("the file of {flag} cannot be read: {shown}"),
    };
    match read_plain(&place) {
        Ok(None) => None,
        Ok(Some(bytes)) => {
            malformed(&bytes).map(|(line, why)| format!("line {line} of {shown} {why}"))
        }
        Err(error) => Some(about(error)),
    }
}

/// A pipe has been read already.
fn read_plain(place: &PathBuf) -> Result<Option<Vec<u8>>, Error> {
    let is_plain = fs::metadata(place)?.is_file();
    is_plain.then(|| fs::read(place)).transpose()
}

/// The first line that is none of an env file, and why.
fn malformed(bytes: &[u8]) -> Option<(usize, &'static str)> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let mut wrong = lines.filter_map(|(at, line)| Some((at + 1, wrong_with(line)?)));
    wrong.next()
}

fn wrong_with(line: &[u8]) -> Option<&'static str> {
    if line.len() >= LONGEST_LINE {
        return Some("is longer than 64 KiB");
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return Some("is not in UTF-8");
    };
    let text = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .trim_end_matches('\r');
    let name = text.split('=').next().unwrap_or_default();
    match name {
        _ if text.is_empty() || text.starts_with('#') => None,
        "" => Some("has no name before its `=`"),
        name if name.contains([' ', '\t']) => Some("has white space in its name"),
        _ => None,
    }
}

/// Whether the CLI speaks of a variable, a label or a line.
fn may_quote_a_file(line: &str) -> bool {
    let line = line.to_lowercase();
    [
        "env",
        "label",
        "variable",
        "utf8",
        "utf-8",
        "token too long",
        "on line",
    ]
    .iter()
    .any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    fn said(stderr: &str, options: &str, folder: &str) -> String {
        let options = words(options);
        let mut secrets = Secrets::default();
        for flag in flags(&options) {
            secrets.hide(flag.value, &format!("<{}>", flag.shown()));
        }
        refusal(stderr, &options, folder, &secrets).said
    }

    #[test]
    fn an_option_is_told_by_its_name() {
        for (stderr, expected) in [
            (
                "unknown flag: --no-such\nSee 'docker create --help'.",
                "the engine's client knows no option --no-such",
            ),
            (
                "unknown shorthand flag: 'y' in -yhunter2",
                "the engine's client knows no option -y",
            ),
            (
                "flag needs an argument: --memory",
                "--memory is given no value",
            ),
            ("flag needs an argument: 'e' in -e", "-e is given no value"),
            (
                "invalid argument \"for \\\"hunter2\" for \"-m, --memory\" flag: invalid size: 'hunter2'",
                "the value of --memory is malformed: invalid size: '<--memory>'",
            ),
            (
                "\nError response from daemon: network hunter2 not found",
                "Error response from daemon: network <--memory> not found",
            ),
        ] {
            assert_eq!(said(stderr, "--memory hunter2", "/"), expected);
        }
    }

    #[test]
    fn an_env_file_is_told_by_its_name_and_the_number_of_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().to_str().unwrap();
        for (content, expected) in [
            (
                &b"A=b\n\n# x y\nbad hunter2=x"[..],
                "line 4 of app.env has white space in its name",
            ),
            (
                b"A=b\n =hunter2",
                "line 2 of app.env has no name before its `=`",
            ),
            (b"A=\xe9hunter2", "line 1 of app.env is not in UTF-8"),
        ] {
            fs::write(folder.path().join("app.env"), content).unwrap();
            let stderr = "env file app.env contains invalid utf8 bytes at line 1: [65 61 233 104]";
            assert_eq!(said(stderr, "--env-file app.env", at), expected);
        }
        let stderr = "open gone.env: no such file or directory";
        let expected = "the file of --env-file does not exist: gone.env";
        assert_eq!(said(stderr, "--env-file=gone.env", at), expected);
        let stderr = "poorly formatted environment: variable 'hunter2 x' contains whitespaces";
        let expected = "the file of --env-file is malformed";
        assert_eq!(said(stderr, "--env-file=/dev/null", at), expected);
    }
}
