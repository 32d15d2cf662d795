//! The values of flags: what is accepted is read back the same, what is refused is told in a sentence.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::{is_sentence, texts};
use crate::health::args::header;
use crate::health::args::url;
use crate::model::image_ref::{ImageRef, repository};
use crate::model::name::Name;
use crate::model::port::Publish;
use crate::model::probe::{StatusRange, path};
use crate::model::probe::{host, plain};
use crate::time::duration;

/// Accepted values survive being shown and being written as JSON, and are one word that is no flag.
fn holds<T>(text: &str) -> Result<(), TestCaseError>
where
    T: FromStr<Err = String> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    match text.parse::<T>() {
        Ok(value) => {
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(&json, &format!("\"{value}\""));
            prop_assert_eq!(serde_json::from_str::<T>(&json).unwrap(), value);
            let grammar = |c: char| c.is_ascii_alphanumeric() || "._:/@[]-".contains(c);
            prop_assert!(
                text.chars().all(grammar) && !text.starts_with('-'),
                "{}",
                text
            );
        }
        Err(why) => prop_assert!(is_sentence(&why), "{}", why),
    }
    Ok(())
}

fn or_sentence<T>(read: Result<T, String>) -> Result<Option<T>, TestCaseError> {
    if let Err(why) = &read {
        prop_assert!(is_sentence(why), "{}", why);
    }
    Ok(read.ok())
}

fn ports() -> impl Strategy<Value = String> {
    "(([0-9]{1,3}\\.){3}[0-9]{1,3}:|\\[?[0-9a-f:]{0,9}\\]?:)?[+0-9]{1,5}:[+0-9]{1,5}(/tcp|/udp|)"
}

fn references() -> impl Strategy<Value = String> {
    let host = "([a-z]{1,3}(\\.[a-z]{1,3})?(:\\+?[0-9]{1,5})?/|\\[::1?\\][x:]{0,2}[0-9]{0,4}/)?";
    let path = "[a-z]{1,5}([._/-]{1,2}[a-z0-9]{1,3})?(:[a-zA-Z0-9_.-]{0,9})?";
    let digest = "(@sha(256|512):([0-9a-f]{64}|[0-9a-f]{128}|[0-9a-f]{5}))?";
    (host, path, digest).prop_map(|(a, b, c)| a + &b + &c)
}

proptest! {
    #[test]
    fn names(text in prop_oneof![texts(), "[a-zA-Z0-9_.-]{0,130}", "[0-9a-f]{64}"]) {
        holds::<Name>(&text)?;
    }

    #[test]
    fn published_ports(text in prop_oneof![texts(), ports()]) {
        holds::<Publish>(&text)?;
    }

    #[test]
    fn image_references(text in prop_oneof![1 => texts(), 4 => references()]) {
        holds::<ImageRef>(&text)?;
        if text.parse::<ImageRef>().is_ok() {
            let repository = repository(&text);
            prop_assert!(text.starts_with(repository) && repository.parse::<ImageRef>().is_ok());
            prop_assert_eq!(crate::model::image_ref::repository(repository), repository);
        }
    }

    #[test]
    fn status_ranges(text in prop_oneof![texts(), "[+0-9]{1,4}(-[+0-9]{1,4})?"]) {
        holds::<StatusRange>(&text)?;
    }

    #[test]
    fn durations(text in prop_oneof![texts(), "([0-9]{1,20}(ns|us|ms|s|m|h|d|w|y|) ?){1,3}"]) {
        if let Some(read) = or_sentence(duration(&text))? {
            prop_assert!(read.as_secs() <= 7 * 24 * 3600);
            let shown = humantime::format_duration(read).to_string();
            prop_assert_eq!(duration(&shown), Ok(read));
        }
    }

    #[test]
    fn what_is_accepted_for_a_request_can_be_sent(text in texts(), ascii in "[ -~]{0,20}\\PC?") {
        for word in [text, ascii] {
            can_be_sent(&word)?;
            or_sentence(plain(&word))?;
        }
    }
}

fn can_be_sent(word: &str) -> Result<(), TestCaseError> {
    if let Some(path) = or_sentence(path(&format!("/{word}")))? {
        prop_assert!(
            format!("http://127.0.0.1:1{path}").parse::<Uri>().is_ok(),
            "{path}"
        );
    }
    if let Some(host) = or_sentence(host(word))? {
        prop_assert!(HeaderValue::from_str(&host).is_ok(), "{host}");
    }
    for text in [
        word.to_owned(),
        format!("X-Y: {word}"),
        format!("{word}: x"),
    ] {
        if let Some((name, value)) = or_sentence(header(&text))? {
            prop_assert!(HeaderName::from_str(&name).is_ok(), "{name}");
            prop_assert!(HeaderValue::from_str(&value).is_ok(), "{value}");
        }
    }
    for text in [
        word.to_owned(),
        format!("http://{word}"),
        format!("https://a{word}"),
    ] {
        if let Some(url) = or_sentence(url(&text))? {
            let uri: Uri = url.parse().unwrap();
            prop_assert!(uri.host().is_some_and(|host| !host.is_empty()), "{url}");
        }
    }
    Ok(())
}
