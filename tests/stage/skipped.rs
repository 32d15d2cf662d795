//! Tests that a machine cannot run say so and are counted: they end as passed, since cargo's tests know nothing else.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::thread;

/// The variable that names the file in which skipped tests are counted.
pub const FILE: &str = "DEPLOY_STEPS_SKIPPED";

/// Says that the running test, or the rest of it, cannot run here, and why.
pub fn skip(why: &str) {
    let test = thread::current();
    let line = format!("SKIPPED {}: {why}\n", test.name().unwrap_or("a test"));
    let _ = io::stderr().write_all(line.as_bytes());
    let file = std::env::var_os(FILE);
    let file = file.and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok());
    if let Some(mut file) = file {
        let _ = file.write_all(line.as_bytes());
    }
}

/// The lines of all tests that were skipped, sorted.
///
/// # Errors
/// When the file cannot be read; one that is not there says that none was.
pub fn all(file: &Path) -> io::Result<Vec<String>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    Ok(lines)
}
