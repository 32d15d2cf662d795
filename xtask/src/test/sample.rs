//! Which end-to-end tests a run leaves to `--all`. Each file of tests is about one kind of thing, so of each its first
//! test is run, and one of so many after that.

use std::collections::BTreeMap;
use std::io::{self, Write};

use stage::cargo;
use xshell::{Shell, cmd};

/// One of so many in a file. More would take longer than ten minutes on two cores (measured).
pub(super) const USUAL: usize = 8;
/// What has long tests in many files is sampled as one file.
const LONG: [&str; 6] = [
    "machine::",
    "matrix::",
    "power::",
    "promote::every_option::",
    "ssh::",
    "swarm::",
];

/// Words for the test harness that leave them out; says how many those are.
///
/// # Errors
/// When the tests cannot be listed.
pub(super) fn words(sh: &Shell, stride: usize) -> anyhow::Result<Vec<String>> {
    let (listed, ignored) = (list(sh, &[])?, list(sh, &["--ignored"])?);
    let ignored: Vec<&str> = names(&ignored).collect();
    let all: Vec<&str> = names(&listed).filter(|it| !ignored.contains(it)).collect();
    let left = left_out(&all, stride);
    writeln!(
        io::stderr(),
        "test: {} of {} end-to-end tests are left to --all",
        left.len(),
        all.len()
    )?;
    let skips = left.into_iter().flat_map(|name| ["--skip", name]);
    Ok(skips.map(str::to_owned).collect())
}

/// Told of this package cargo would build anew what is built already, and a machine would build it once more, for itself.
fn list(sh: &Shell, more: &[&str]) -> xshell::Result<String> {
    let command = cmd!(
        sh,
        "cargo test --quiet --workspace --test it -- --list {more...}"
    );
    let untold = cargo::told_of_its_package().fold(command, |it, name| it.env_remove(name));
    untold.read()
}

/// As the test harness lists them: `a::b: test`.
fn names(listed: &str) -> impl Iterator<Item = &str> {
    listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
}

fn left_out<'a>(all: &[&'a str], stride: usize) -> Vec<&'a str> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut run, mut left) = (Vec::new(), Vec::new());
    for name in all {
        let (file, _) = name.rsplit_once("::").unwrap_or_default();
        let long = LONG.into_iter().find(|it| name.starts_with(it));
        let file = long.unwrap_or(file);
        let before = seen.entry(file).or_default();
        let goes = if before.is_multiple_of(stride) {
            &mut run
        } else {
            &mut left
        };
        goes.push(*name);
        *before += 1;
    }
    // The harness leaves out whatever contains the name.
    left.retain(|left| !run.iter().any(|it: &&str| it.contains(left)));
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_first_test_and_every_eighth_in_a_run() {
        let names: Vec<String> = (0..18).map(|nth| format!("a::nr_{nth:02}")).collect();
        let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
        all.extend(["a::b::x", "a::b::y", "c::only"]);
        let left = left_out(&all, 8);
        let run: Vec<&str> = all.into_iter().filter(|it| !left.contains(it)).collect();
        assert_eq!(
            run,
            ["a::nr_00", "a::nr_08", "a::nr_16", "a::b::x", "c::only"]
        );
    }

    #[test]
    fn what_the_harness_would_leave_out_with_another_is_not_left_out() {
        assert_eq!(left_out(&["a::b_and_c", "a::b"], 8), [""; 0]);
    }

    #[test]
    fn what_the_harness_lists_is_told_from_its_other_lines() {
        let listed = "a::b: test\nc: bench\n\n1 test, 1 benchmark\n";
        assert_eq!(names(listed).collect::<Vec<_>>(), ["a::b"]);
    }
}
