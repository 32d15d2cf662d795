//! Foreign text, made harmless for people's eyes. Markup escapes what HTML would read in it.

use std::fmt::Write;
use std::time::SystemTime;

/// `text` on one line, with what hides or reorders characters written out.
pub(super) fn plain(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(longest) {
        match c {
            '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    if text.chars().nth(longest).is_some() {
        out.push('…');
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The first characters.
pub(super) fn cut(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

/// A moment to the second, UTC.
pub(super) fn moment(at: Option<SystemTime>) -> String {
    let mut text = String::new();
    if let Some(at) = at {
        // Beyond the year 9999 there is nothing to write.
        let _ = write!(text, "{}", humantime::format_rfc3339_seconds(at));
    }
    text.replace('T', " ").replace('Z', "")
}
