//! The folder in which the CLI runs: relative paths among words mean what they meant to whoever wrote them.

use std::process::Command;

use super::error::EngineError;
use crate::host::process::may_be_entered;
use crate::text::printable;

/// The call with the CLI's working folder at `folder`, which must be there if `words` name files in it.
pub(super) fn in_folder(
    mut command: Command,
    words: &[String],
    folder: &str,
) -> Result<Command, EngineError> {
    command.current_dir(if may_be_entered(folder) {
        folder
    } else if mentions_relative_paths(words) {
        return Err(EngineError::Failed {
            call: "docker create".to_owned(),
            message: format!(
                "the folder {} is gone or closed to this user, and run options name files in it",
                printable(folder, 200)
            ),
        });
    } else {
        "/"
    });
    Ok(command)
}

/// Whether words of a call name files or folders by relative paths, as far as words tell.
pub fn mentions_relative_paths(words: &[String]) -> bool {
    const FILES: [&str; 2] = ["--env-file", "--label-file"];
    let absolute = |path: &str| path.starts_with('/');
    let after_flag = words
        .windows(2)
        .any(|pair| FILES.contains(&pair[0].as_str()) && !absolute(&pair[1]));
    let glued = |word: &String| {
        let (flag, path) = word.split_once('=').unwrap_or((word, "/"));
        FILES.contains(&flag) && !absolute(path)
    };
    let dotted = |word: &String| {
        let mut parts = word.split(['=', ',', ':']);
        parts.any(|part| {
            matches!(part, "." | "..") || part.starts_with("./") || part.starts_with("../")
        })
    };
    after_flag || words.iter().any(|word| glued(word) || dotted(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    #[test]
    fn relative_paths_are_seen_in_every_form() {
        let seen = |line: &str| mentions_relative_paths(&words(line));
        assert!(seen("--env-file app.env") && seen("--env-file=app.env"));
        assert!(seen("-v ./data:/data") && seen("--mount type=bind,src=../d,dst=/d"));
        assert!(!seen("--env-file /etc/web.env -v data:/data -e A=b.c"));
    }
}
