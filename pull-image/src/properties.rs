//! What holds for every text given as a flag.

use proptest::prelude::*;

use step::model::image_ref::{digest, platform};

use crate::args::size;

fn is_sentence(why: &str) -> bool {
    why.starts_with(char::is_lowercase) && !why.contains('\n') && !why.ends_with('.')
}

proptest! {
    #[test]
    fn sizes(text in prop_oneof![any::<String>(), "[0-9]{0,21} ?(|B|K|KiB|MiB|GiB|TiB|x)"]) {
        match size(&text) {
            Ok(bytes) => prop_assert_eq!(size(&format!("{bytes}B")), Ok(bytes)),
            Err(why) => prop_assert!(is_sentence(&why), "{why}"),
        }
    }

    #[test]
    fn digests_and_platforms(text in prop_oneof![any::<String>(), "sha256:[0-9a-f]{63,65}", "[a-z/._-]{0,70}"]) {
        for read in [digest(&text), platform(&text)] {
            match read {
                Ok(word) => prop_assert!(!word.starts_with('-') && !word.contains(char::is_whitespace)),
                Err(why) => prop_assert!(is_sentence(&why), "{why}"),
            }
        }
    }
}
