//! Foreign text made harmless stays short and has no power over terminals and CI runners.

use proptest::prelude::*;

use super::texts;
use crate::recipe::Recipe;
use crate::recipe::values::Given;
use crate::text::printable;
use crate::text::secrets::Secrets;

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
        let lines = Secrets::of([secret.as_str()]).tail(&log, count);
        prop_assert!(lines.len() <= count);
        for line in lines {
            prop_assert!(is_powerless(&line) && line.starts_with("| "), "{}", line);
            prop_assert!(line.chars().count() <= 5003, "{}", line);
        }
    }

    #[test]
    fn no_secret_is_left_where_it_stands_alone(
        words in prop::collection::vec("[a-z]{0,9}", 0..9),
        at in any::<prop::sample::Index>(),
        secret in "[a-z]{5}[A-Z0-9\"'\\\\%&<é]{1,20}[a-z]",
        written in 0..3,
    ) {
        let there = match written {
            0 => secret.clone(),
            1 => format!("{secret:?}"),
            _ => serde_json::to_string(&secret).unwrap(),
        };
        let mut words = words;
        words.insert(at.index(words.len() + 1), there);
        let shown = Secrets::of([secret.as_str()]).show(&words.join(" "), 500);
        prop_assert!(!shown.contains(&secret), "{}", shown);
        prop_assert!(shown.contains("***"), "{}", shown);
    }

    #[test]
    fn what_hides_no_secret_is_as_it_was(text in "[a-z ]{0,40}", secrets in prop::collection::vec("[A-Z0-9]{0,9}", 0..5)) {
        let shown = Secrets::of(secrets.iter().map(String::as_str)).show(&text, 500);
        prop_assert_eq!(shown, printable(&text, 500));
    }

    #[test]
    fn no_value_of_a_variable_is_in_a_label(
        options in prop::collection::vec("-{0,2}[a-z]{0,9}=?[a-zé\n]{0,9}", 0..6),
        name in "[A-Z]{1,5}",
        value in "[a-z\"\\\\\n\u{1}é]{0,8}[A-Z0-9]{6}",
        form in 0..4,
    ) {
        let pair = format!("{name}={value}");
        let flag = match form {
            0 => vec![format!("--env={pair}")],
            1 => vec!["-e".to_owned(), pair],
            2 => vec![format!("-ite{pair}")],
            _ => vec!["--env".to_owned(), pair],
        };
        // Behind an operand is what no engine takes for an option.
        let options = options.into_iter().filter(|word| word.starts_with("--") && word.contains('='));
        let options: Vec<String> = options.chain(flag).collect();
        let recipe = Recipe { options: options.clone(), ..Recipe::default() };
        let labels = super::labels::marks(recipe).labels().join("\n");
        prop_assert!(!labels.contains(&value[value.len() - 6..]), "{labels}");
        let given = Given::of(&options);
        prop_assert_eq!(given.values.env.get(&name), Some(&value));
    }
}
