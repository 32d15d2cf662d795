//! Any text for `--from`.
#![no_main]

#[path = "../oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(why) = oracle::check(text) {
        panic!("{why}");
    }
});
