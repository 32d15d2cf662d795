//! Any text for `--from`: `cargo +nightly fuzz run from fuzz/corpus fuzz/seeds`, in the folder `step`.
#![no_main]

#[path = "../oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(why) = oracle::check(text) {
        panic!("{why}");
    }
});
