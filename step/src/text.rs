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
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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

/// `text` with every one of `secrets` replaced by `***`, longest first.
pub fn redact(text: &str, secrets: &[String]) -> String {
    let mut sorted: Vec<&String> = secrets.iter().filter(|s| !s.is_empty()).collect();
    sorted.sort_by_key(|s| std::cmp::Reverse(s.len()));
    sorted.iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret.as_str(), "***")
    })
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
        } else if let Some(short) = option
            .strip_prefix("-e")
            .filter(|_| !option.starts_with("--"))
        {
            push_value(&mut secrets, short);
        }
    }
    secrets
}

fn push_value(secrets: &mut Vec<String>, value: &str) {
    secrets.push(value.to_owned());
    if let Some((_, right)) = value.split_once('=') {
        secrets.push(right.to_owned());
    }
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
