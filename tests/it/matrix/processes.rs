//! The processes that a step has started, found by a variable that all of them inherit.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The variable; its value names the lane.
pub(super) const MARK: &str = "DEPLOY_STEPS_MATRIX";
const GRACE: Duration = Duration::from_secs(30);

/// The command lines of what is left of the lane and has these words: a scope's program has a path before its name.
fn left(lane: &str, words: &str) -> Vec<String> {
    let mark = format!("{MARK}={lane}\0");
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ours = all.filter(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&mark)
    });
    let lines = ours.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| !line.is_empty() && line.contains(words))
        // Podman has no daemon: whoever starts a container leaves its monitor.
        .filter(|line| !line.starts_with("/usr/bin/conmon\0"))
        .map(|line| line.replace('\0', " "))
        .collect()
}

fn wait(lane: &str, words: &str) -> Result<(), String> {
    let end = Instant::now() + GRACE;
    loop {
        let left = left(lane, words);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("still there after {GRACE:?}: {left:?}"));
        }
        thread::sleep(Duration::from_millis(30));
    }
}

/// Waits until no heir is at work.
pub(super) fn wait_for_heirs(lane: &str) -> Result<(), String> {
    wait(lane, "promote\0__heir")
}

/// Waits until nothing of the lane runs any more.
pub(super) fn wait_for_all(lane: &str) -> Result<(), String> {
    wait(lane, "")
}
