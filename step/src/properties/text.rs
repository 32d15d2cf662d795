//! Foreign text made harmless stays short and has no power over terminals and CI runners.

use proptest::prelude::*;

use super::texts;
use crate::text::{printable, redact, secrets_of_options, tail};

fn logs() -> impl Strategy<Value = String> {
    prop::collection::vec(texts(), 0..12).prop_map(|lines| lines.join("\n"))
}

fn is_powerless(line: &str) -> bool {
    let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}');
    let shown = !line.chars().any(|c| c.is_control() || hides(c));
    shown && !line.trim().starts_with("::") && !line.contains("##[")
}

proptest! {
    #[test]
    fn printable_text_is_short_and_has_no_control_characters(text in texts(), longest in 0..50_usize) {
        let shown = printable(&text, longest);
        prop_assert!(is_powerless(&format!("step: {shown}")), "{}", shown);
        prop_assert!(shown.chars().count() <= 10 * longest + 1, "{}", shown);
    }

    #[test]
    fn the_tail_of_any_log_is_harmless(log in logs(), count in 0..9_usize, secret in "[a-z \n]{0,9}") {
        let lines = tail(&log, count, &[secret]);
        prop_assert!(lines.len() <= count);
        for line in lines {
            prop_assert!(is_powerless(&line) && line.starts_with("| "), "{}", line);
            prop_assert!(line.chars().count() <= 5003, "{}", line);
        }
    }

    #[test]
    fn no_secret_is_left(words in prop::collection::vec("[a-z ]{0,9}", 0..9), at in any::<prop::sample::Index>(), secret in "[a-z]{6,12}") {
        let mut words = words;
        words.insert(at.index(words.len() + 1), secret.clone());
        let shown = redact(&words.concat(), std::slice::from_ref(&secret));
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }

    #[test]
    fn values_of_any_options_are_found(
        options in prop::collection::vec("-{0,2}[a-z]{0,9}=?[a-zé\n]{0,9}", 0..6),
        name in "[A-Z]{1,5}",
        value in "[a-z\"\\\\\n\u{1}é]{0,8}[a-z]{6}",
        form in 0..3,
    ) {
        let pair = format!("{name}={value}");
        let flag = match form {
            0 => vec![format!("--env={pair}")],
            1 => vec!["-e".to_owned(), pair],
            _ => vec![format!("-e{pair}")],
        };
        let options = [options, flag].concat();
        let shown = redact(&format!("failed: {value}, {value:?}"), &secrets_of_options(&options));
        prop_assert!(!shown.contains(&value), "{}", shown);
    }
}
