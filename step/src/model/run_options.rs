//! Run options, taken apart as the engine's CLI does: which words are flags, and which are their values.

/// Flags that take no value, of `docker create`, `docker service create` and `podman create`.
const SWITCHES: [&str; 26] = [
    "detach",
    "disable-content-trust",
    "env-host",
    "help",
    "http-proxy",
    "init",
    "interactive",
    "no-healthcheck",
    "no-hostname",
    "no-hosts",
    "no-resolve-image",
    "oom-kill-disable",
    "passwd",
    "privileged",
    "publish-all",
    "quiet",
    "read-only",
    "read-only-tmpfs",
    "replace",
    "rm",
    "rmi",
    "rootfs",
    "tty",
    "unsetenv-all",
    "use-api-socket",
    "with-registry-auth",
];
/// The same by their letters.
const SHORT_SWITCHES: &str = "ditqP";
/// Flags whose values the steps handle; the word after one is its value, whatever it looks like.
const HANDLED: [&str; 4] = ["env", "env-file", "label-file", "log-opt"];

/// A flag with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag<'a> {
    /// Its long name without dashes, or its letter where it is one of the others.
    pub name: &'a str,
    /// What it is given.
    pub value: &'a str,
}

impl Flag<'_> {
    /// Whether its value is the path of a file with variables or labels.
    pub fn names_a_file(&self) -> bool {
        matches!(self.name, "env-file" | "label-file")
    }

    /// As a person writes it, without the value.
    pub fn shown(&self) -> String {
        match self.name.chars().count() {
            1 => format!("-{}", self.name),
            _ => format!("--{}", self.name),
        }
    }
}

/// What becomes of a flag.
pub enum Edit {
    /// It stays.
    Keep,
    /// It stays with another value.
    Value(String),
    /// It goes, with its value.
    Drop,
}

/// One or two words: what stands before a value, and the value.
struct Piece<'a> {
    head: &'a str,
    flag: Flag<'a>,
    is_glued: bool,
    /// Letters before the flag's own, as `-it` in `-ite`.
    switches: &'a str,
}

/// A word by what comes after it.
enum Word<'a> {
    Switch,
    Valued(Piece<'a>),
    /// An operand: an image, or what comes behind it.
    Operand,
}

/// The flags that have values, in their order.
pub fn flags(words: &[String]) -> Vec<Flag<'_>> {
    let mut found = Vec::new();
    walk(words, |_, word| {
        if let Word::Valued(piece) = word {
            found.push(piece.flag);
        }
    });
    found
}

/// Whether a word among them is no option and no option's value.
pub fn has_operand(words: &[String]) -> bool {
    let mut found = false;
    walk(words, |_, word| found |= matches!(word, Word::Operand));
    found
}

/// The words with their flags edited.
pub fn edited(words: &[String], mut edit: impl FnMut(Flag<'_>) -> Edit) -> Vec<String> {
    let mut out = Vec::new();
    walk(words, |plain, word| {
        let Word::Valued(piece) = word else {
            out.push(plain.to_owned());
            return;
        };
        let value = match edit(piece.flag) {
            Edit::Keep => piece.flag.value.to_owned(),
            Edit::Value(value) => value,
            Edit::Drop => {
                let switches = piece.switches;
                out.extend((!switches.is_empty()).then(|| format!("-{switches}")));
                return;
            }
        };
        if piece.is_glued {
            out.push(format!("{}{value}", piece.head));
        } else {
            out.extend([piece.head.to_owned(), value]);
        }
    });
    out
}

fn walk<'a>(words: &'a [String], mut see: impl FnMut(&'a str, Word<'a>)) {
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        let word = word(first, after.first().map(String::as_str));
        let is_last = matches!(word, Word::Operand);
        rest = match &word {
            Word::Valued(piece) if !piece.is_glued => after.get(1..).unwrap_or_default(),
            _ => after,
        };
        see(first, word);
        if is_last {
            rest.iter().for_each(|word| see(word, Word::Operand));
            return;
        }
    }
}

fn word<'a>(word: &'a str, next: Option<&'a str>) -> Word<'a> {
    match word.strip_prefix("--") {
        Some("") => Word::Operand,
        Some(long) => self::long(word, long, next),
        None => match word.strip_prefix('-') {
            None | Some("") => Word::Operand,
            Some(letters) => short(word, letters, next),
        },
    }
}

fn long<'a>(word: &'a str, long: &'a str, next: Option<&'a str>) -> Word<'a> {
    if let Some((name, value)) = long.split_once('=') {
        let head = word.split_at(word.len() - value.len()).0;
        return valued(head, Flag { name, value }, true, "");
    }
    let given = next.filter(|next| HANDLED.contains(&long) || !looks_like_a_flag(next));
    match given {
        Some(value) if !SWITCHES.contains(&long) => {
            valued(word, Flag { name: long, value }, false, "")
        }
        _ => Word::Switch,
    }
}

/// Several letters may stand together; the first that takes a value has the rest, or the next word.
fn short<'a>(word: &'a str, letters: &'a str, next: Option<&'a str>) -> Word<'a> {
    for (at, letter) in letters.char_indices() {
        let end = at + letter.len_utf8();
        let (name, rest) = (&letters[at..end], &letters[end..]);
        let is_equalled = rest.len() > 1 && rest.starts_with('=');
        if SHORT_SWITCHES.contains(letter) && !is_equalled {
            continue;
        }
        let name = if name == "e" { "env" } else { name };
        let value = if is_equalled { &rest[1..] } else { rest };
        if !value.is_empty() {
            let head = word.split_at(word.len() - value.len()).0;
            return valued(head, Flag { name, value }, true, &letters[..at]);
        }
        let given = next.filter(|next| name == "env" || !looks_like_a_flag(next));
        return given.map_or(Word::Switch, |value| {
            valued(word, Flag { name, value }, false, &letters[..at])
        });
    }
    Word::Switch
}

fn valued<'a>(head: &'a str, flag: Flag<'a>, is_glued: bool, switches: &'a str) -> Word<'a> {
    Word::Valued(Piece {
        head,
        flag,
        is_glued,
        switches,
    })
}

/// `-1` is a number.
fn looks_like_a_flag(word: &str) -> bool {
    let second = word.strip_prefix('-').and_then(|rest| rest.chars().next());
    second.is_some_and(|c| c == '-' || c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    fn pairs(given: &str) -> Vec<(String, String)> {
        let given = words(given);
        let all = flags(&given).into_iter();
        all.map(|flag| (flag.name.to_owned(), flag.value.to_owned()))
            .collect()
    }

    #[test]
    fn a_variable_is_seen_in_every_form() {
        for form in [
            "-e A=b",
            "-eA=b",
            "-e=A=b",
            "--env A=b",
            "--env=A=b",
            "-iteA=b",
            "-it -e A=b",
            "-ite A=b",
            "--init -e A=b",
            "--new-switch -e A=b",
        ] {
            let found = pairs(form);
            assert_eq!(found, [("env".to_owned(), "A=b".to_owned())], "{form}");
        }
        let odd = pairs("--memory-swap -1 --env -x=y -h web");
        let odd: Vec<_> = odd.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(odd, [("memory-swap", "-1"), ("env", "-x=y"), ("h", "web")]);
    }

    #[test]
    fn what_stands_around_an_edited_flag_stays() {
        let named = |given: &str| {
            edited(&words(given), |flag| match flag.value.split_once('=') {
                Some((name, _)) if flag.name == "env" => Edit::Value(name.to_owned()),
                _ => Edit::Keep,
            })
        };
        let given = "-e A=b --env=B=c -eC=d -iteD=e -m 1g --init";
        let left = ["-e", "A", "--env=B", "-eC", "-iteD", "-m", "1g", "--init"];
        assert_eq!(named(given), left);
        let without = edited(&words(given), |_| Edit::Drop);
        assert_eq!(without, ["-it", "--init"]);
    }

    #[test]
    fn an_operand_is_told_from_a_value() {
        assert!(has_operand(&words("-e A=b web:v1")));
        assert!(has_operand(&words("--init x -e A=b")));
        assert!(!has_operand(&words("--memory 1g -it -h web")));
    }
}
