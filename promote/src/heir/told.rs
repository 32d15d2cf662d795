//! What an heir leaves word of: in the system's log, and beside the lock.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::{Value, json};
use step::host::lock::LONGEST_NOTE;
use step::text::printable;

/// The longest that a line to the system's log may be (RFC 3164, with room for its head).
const LONGEST_LINE: usize = 900;

/// A report with its evidence may be longer than a note; what it says is in the system's log as well.
pub(super) fn short(line: &str) -> String {
    if line.len() <= LONGEST_NOTE {
        return line.to_owned();
    }
    let report: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |key: &str| printable(report["error"][key].as_str().unwrap_or_default(), 500);
    let error = json!({
        "code": report["error"]["code"], "kind": report["error"]["kind"],
        "message": text("message"), "hint": text("hint"),
    });
    json!({"step": report["step"], "ok": report["ok"], "error": error}).to_string()
}

/// Where a system has no log there is still the note beside the lock.
pub(super) fn log(line: &str) {
    let cut = line
        .char_indices()
        .nth(LONGEST_LINE)
        .map_or(line.len(), |(at, _)| at);
    // Facility daemon, severity notice.
    let entry = format!("<29>deploy-steps: {}", &line[..cut]);
    let sent = UnixDatagram::unbound().and_then(|socket| {
        socket.set_write_timeout(Some(Duration::from_secs(1)))?;
        socket.send_to(entry.as_bytes(), "/dev/log")
    });
    let _ = sent;
}
