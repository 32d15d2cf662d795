//! What a call finds on its stdin.

use std::io::{self, PipeReader, Read, Write};
use std::process::Stdio;

/// One empty line, for a CLI that asks for a login when the registry wants one. Some wait for ever
/// where there is nothing to read; with an empty answer all give up at once.
pub(super) struct EmptyLine(PipeReader);

impl EmptyLine {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(b"\n")?;
        Ok(Self(reader))
    }

    pub(super) fn stdin(&self) -> io::Result<Stdio> {
        self.0.try_clone().map(Stdio::from)
    }

    /// Whether the CLI, which has ended, has read it.
    pub(super) fn was_read(mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn it_is_told_whether_the_line_was_read() {
        for (script, read) in [("read answer", true), ("true", false)] {
            let line = EmptyLine::new().unwrap();
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(line.stdin().unwrap());
            assert!(command.status().unwrap().success());
            assert_eq!(line.was_read(), read, "{script}");
        }
    }
}
