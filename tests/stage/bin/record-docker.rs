//! Stands in front of the real `docker`: writes the words of each call as one JSON line to
//! `$RECORD_FILE`, then becomes the real one.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let file = env::var_os("RECORD_FILE").ok_or(io::ErrorKind::NotFound)?;
    let mut record = OpenOptions::new().create(true).append(true).open(file)?;
    record.write_all(format!("{}\n", serde_json::json!(words)).as_bytes())?;
    Err(Command::new("docker").args(env::args_os().skip(1)).exec())
}
