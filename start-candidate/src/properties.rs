//! What holds for every word after the `--`: it reaches the plan as it was given.

use clap::Parser;
use proptest::prelude::*;

use crate::args::Args;

fn words() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        any::<String>(),
        "-{0,3}[a-z=,/: ]{0,9}",
        Just("--".to_owned())
    ];
    prop::collection::vec(word, 0..8)
}

proptest! {
    #[test]
    fn options_and_command_are_the_words_given_parted_once(words in words()) {
        let flags = ["start-candidate", "--app=web", "--image=web", "--"].map(str::to_owned);
        let args = Args::try_parse_from(flags.into_iter().chain(words.clone())).unwrap();
        let (options, command) = args.options_and_command();
        prop_assert!(!options.contains(&"--".to_owned()));
        let parted = words.contains(&"--".to_owned()).then(|| "--".to_owned());
        let again: Vec<String> = options.into_iter().chain(parted).chain(command).collect();
        prop_assert_eq!(again, words);
    }

    #[test]
    fn flags_take_any_value_or_refuse_it_as_a_usage_error(value in any::<String>(), at in 0..6_usize) {
        let flag = ["app", "image", "publish", "health-path", "health-host", "deploy-id"][at];
        let words = ["start-candidate".to_owned(), format!("--{flag}={value}")];
        if let Err(error) = Args::try_parse_from(words) {
            prop_assert_eq!(error.exit_code(), 2);
        }
    }
}
