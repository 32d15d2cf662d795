//! Foreign text made harmless: engine messages, container logs, option values.

/// `text` with every control character escaped and the markers of CI commands broken,
/// cut to `longest` characters.
pub fn printable(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for c in text.trim().chars().take(longest) {
        match c {
            '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    if text.trim().chars().nth(longest).is_some() {
        out.push('…');
    }
    out.replace("##[", "# #[")
}

/// Characters that reorder or hide what a terminal shows (bidi controls, line separators, BOM).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The last `count` lines of `text`, each made printable and led by `| `, so that no line
/// can start with what a CI runner reads as a command.
pub fn tail(text: &str, count: usize, secrets: &[String]) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..]
        .iter()
        .map(|line| format!("| {}", printable(&redact(line, secrets), 500)))
        .collect()
}

/// `text` with every one of `secrets` replaced by `***`, longest first: whole, quoted, and
/// each of its lines where it has several, as a log shows them one by one.
pub fn redact(text: &str, secrets: &[String]) -> String {
    let mut forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    forms.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
    forms
        .iter()
        .filter(|form| !form.is_empty())
        .fold(text.to_owned(), |text, form| text.replace(form, "***"))
}

fn forms(secret: &str) -> Vec<String> {
    let lines = secret.lines().map(str::trim);
    let mut forms: Vec<String> = lines
        .filter(|line| *line == secret || line.chars().count() >= 6)
        .map(str::to_owned)
        .collect();
    forms.extend([secret.to_owned(), quoted(secret)]);
    forms
}

/// As the engine quotes what it complains about (Go's `%q`).
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// The values in run options (and in the env files they name) that must not be shown:
/// everything but the flags' own names.
pub fn secrets_of_options(options: &[String]) -> Vec<String> {
    let mut secrets = Vec::new();
    for (i, option) in options.iter().enumerate() {
        let (flag, glued) = match option.split_once('=') {
            Some((flag, value)) if option.starts_with('-') => (flag, Some(value)),
            _ => (option.as_str(), None),
        };
        let previous = i
            .checked_sub(1)
            .and_then(|i| options.get(i))
            .map(String::as_str);
        if let Some(value) = glued {
            push_value(&mut secrets, value);
            push_env_file(&mut secrets, flag, value);
        } else if !option.starts_with('-') {
            push_value(&mut secrets, option);
            push_env_file(&mut secrets, previous.unwrap_or_default(), option);
        }
        if !option.starts_with("--") && option.starts_with('-') {
            // Glued to a short flag, or to the last of several: where it begins, only the CLI knows.
            let ends = (2..=5).filter_map(|at| option.get(at..));
            let long = ends.filter(|value| value.len() >= 4);
            long.for_each(|value| push_value(&mut secrets, value));
        }
    }
    secrets
}

/// The whole value, and what stands right of each `=` in a list such as `type=volume,src=data`.
fn push_value(secrets: &mut Vec<String>, value: &str) {
    secrets.push(value.to_owned());
    let parts = std::iter::once(value).chain(value.split(','));
    secrets.extend(
        parts
            .filter_map(|part| part.split_once('='))
            .map(|(_, right)| right.to_owned()),
    );
}

fn push_env_file(secrets: &mut Vec<String>, flag: &str, path: &str) {
    if flag == "--env-file" {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .for_each(|line| push_value(secrets, line.trim()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_ci_commands_lose_their_power() {
        let lines = tail("::error::x\n\u{1b}[31mred\n a ##[error]b\n", 5, &[]);
        assert_eq!(
            lines,
            ["| ::error::x", "| \\u{1b}[31mred", "| a # #[error]b"]
        );
        assert_eq!(printable(&"x".repeat(9), 3), "xxx…");
    }

    #[test]
    fn a_secret_is_hidden_whole_quoted_and_line_by_line() {
        let secrets = [
            "say \"hunter2\"".to_owned(),
            "top\nhunter3\u{1}\n}".to_owned(),
        ];
        for text in [
            r#"bad: say "hunter2"."#,
            r#"bad: "say \"hunter2\"""#,
            r#"bad: "top\nhunter3\x01\n}""#,
            "hunter3\u{1}",
        ] {
            let shown = redact(text, &secrets);
            assert!(!shown.contains("hunter"), "{shown}");
        }
        assert_eq!(redact("{top}", &secrets), "{top}");
    }

    #[test]
    fn values_of_options_are_hidden_in_every_form() {
        let options = [
            "-e",
            "A=hunter2",
            "--env=B=hunter3",
            "-eC=hunter4",
            "--memory",
            "1x",
        ];
        let secrets = secrets_of_options(&options.map(str::to_owned));
        let text = redact(
            "A=hunter2 B=hunter3 C=hunter4 hunter3 1x --memory",
            &secrets,
        );
        assert!(!text.contains("hunter") && !text.contains("1x"), "{text}");
        assert!(text.contains("--memory"), "{text}");
    }
}
