//! One table of exit codes, in the source, in each step's help and on the pages.

use super::{STEPS, asked, step, workspace_file};

struct Code {
    number: u32,
    kind: String,
    meaning: String,
}

fn snake(variant: &str) -> String {
    let mut out = String::new();
    for (i, c) in variant.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The table, read from the source as it is: a variant, its number, its doc comment.
fn table() -> Vec<Code> {
    let source = workspace_file("step/src/exit_code.rs");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let variant = |pair: &[&str]| {
        let meaning = pair[0].strip_prefix("/// ")?;
        let (name, number) = pair[1].strip_suffix(',')?.split_once(" = ")?;
        Some(Code {
            number: number.parse().ok()?,
            kind: snake(name),
            meaning: meaning.to_owned(),
        })
    };
    let codes: Vec<Code> = lines.windows(2).filter_map(variant).collect();
    assert!(codes.len() > 30, "only {} codes were read", codes.len());
    codes
}

fn is_of(code: &Code, block: u32) -> bool {
    code.number < 10 || code.number / 10 == block / 10
}

#[test]
fn numbers_and_kinds_are_unique_and_leave_the_shells_own_free() {
    let codes = table();
    for (i, code) in codes.iter().enumerate() {
        assert!(code.number < 101, "{}", code.number);
        for other in &codes[..i] {
            assert_ne!(code.number, other.number);
            assert_ne!(code.kind, other.kind);
            assert_ne!(code.meaning, other.meaning);
        }
    }
}

#[test]
fn every_code_belongs_to_all_steps_or_to_one() {
    for code in table() {
        let owners = STEPS.iter().filter(|(_, block)| is_of(&code, *block));
        let expected = if code.number < 10 { STEPS.len() } else { 1 };
        assert_eq!(owners.count(), expected, "{}", code.number);
    }
}

#[test]
fn the_help_of_each_step_ends_with_its_own_codes_and_no_others() {
    for (name, block) in STEPS {
        let mut command = step(name).unwrap();
        command.arg("--help");
        let run = asked(command);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}");
        let (_, list) = run.stdout.split_once("Exit codes:\n").unwrap();
        let shown: Vec<String> = list.trim_end().lines().map(str::to_owned).collect();
        let own = table().into_iter().filter(|code| is_of(code, block));
        let expected: Vec<String> = own
            .map(|code| format!("  {:>3}  {}", code.number, code.meaning))
            .collect();
        assert_eq!(shown, expected, "{name}");
    }
}

#[test]
fn the_readme_has_the_first_and_the_last_code_of_each_step() {
    let readme = workspace_file("README.md");
    for (step, block) in STEPS {
        let own = table().into_iter().map(|code| code.number);
        let own: Vec<u32> = own.filter(|it| it / 10 == block / 10).collect();
        let (first, last) = (own.iter().min().unwrap(), own.iter().max().unwrap());
        let range = match first == last {
            true => format!("| {first} | `{step}` |"),
            false => format!("| {first} to {last} | `{step}` |"),
        };
        assert!(readme.contains(&range), "{range}");
    }
}

#[test]
fn the_troubleshooting_page_has_every_code_once_under_its_step_and_says_what_to_do() {
    let page = workspace_file("docs/troubleshooting.md");
    let coded = rows(&page);
    let coded = coded.iter().filter(|row| row[0].parse::<u8>().is_ok());
    assert_eq!(coded.count(), table().len());
    for code in table() {
        let number = code.number.to_string();
        let owner = STEPS
            .iter()
            .find(|(_, block)| code.number >= 10 && is_of(&code, *block));
        let heading = owner.map_or("Any step", |(step, _)| *step);
        let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
        let rows = rows(section.split("\n## ").next().unwrap());
        let row = rows.iter().find(|row| row[0] == number);
        let row = row.unwrap_or_else(|| panic!("{heading} lacks {number}"));
        assert_eq!(row[1], format!("`{}`", code.kind), "{number}");
        assert_eq!(row[2], code.meaning, "{number}");
        assert!(
            row.len() == 6 && !row[4].is_empty() && !row[5].is_empty(),
            "{row:?}"
        );
    }
}

/// The cells of all tables.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}
