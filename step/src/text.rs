//! Foreign text made harmless: engine messages, container logs, option values.

mod encodings;
pub mod secrets;

/// `text` with every control character escaped and the markers of CI commands broken,
/// cut to `longest` characters. What may hold a value of the caller's is shown by [`secrets::Secrets::show`].
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable(&"x".repeat(9), 3), "xxx…");
    }
}
