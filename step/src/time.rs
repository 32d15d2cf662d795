//! Durations on the command line and in reports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A duration as a flag takes it: `500ms`, `1m30s`, or plain seconds such as `5`.
///
/// # Errors
/// A sentence that says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        let seconds = text.parse().map_err(|_| "too many seconds".to_owned())?;
        return bounded(Duration::from_secs(seconds));
    }
    let parsed = humantime::parse_duration(text);
    bounded(parsed.map_err(|_| {
        "a duration looks like 500ms, 10s or 1m30s; a plain number is seconds".to_owned()
    })?)
}

fn bounded(duration: Duration) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
    if duration > LONGEST {
        return Err("a duration is at most a week".to_owned());
    }
    Ok(duration)
}

/// Whole milliseconds, the unit of every `_ms` key.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// This moment as `2026-01-31T10:00:00Z`.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// How long it is since 1970.
pub(crate) fn now_unix() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

/// A moment since 1970 as `SECONDS.NANOS`, the way the engine takes `--since`.
pub(crate) fn stamp(moment: Duration) -> String {
    format!("{}.{:09}", moment.as_secs(), moment.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_and_without_a_unit() {
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "-1", "-1s", "x", "99999999999999999999", "9999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
