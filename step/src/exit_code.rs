//! The exit codes of the whole family, once: number, kind and meaning.

use std::borrow::Cow;

use clap::ValueEnum;

/// Every exit code of every step. The doc comment is the meaning shown in help, the
/// variant's name in snake case is the `kind` in reports, the discriminant is the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Code {
    /// done
    Done = 0,
    /// unexpected: a bug, or an engine failure without a class
    Unexpected = 1,
    /// usage: a flag is missing, unknown or malformed (nothing on stdout)
    Usage = 2,
    /// no docker CLI found
    NoDocker = 3,
    /// engine unreachable, or not permitted
    EngineUnreachable = 4,
    /// an engine call timed out
    EngineTimeout = 5,
    /// --from could not be read
    FromUnreadable = 6,
    /// interrupted, and undone
    Interrupted = 7,
    /// not a manager of a swarm, with --swarm
    NoManager = 8,
    /// a name is taken by a container or service that is not this app's to replace
    NameTaken = 9,
    /// image not found in the registry
    ImageNotFound = 10,
    /// access denied by the registry
    AccessDenied = 11,
    /// registry unreachable, or it stalled or failed
    RegistryUnreachable = 12,
    /// digest is not the expected one
    DigestMismatch = 13,
    /// too little disk space for a pull
    DiskFull = 14,
    /// image lacks the app's label
    Unlabelled = 15,
    /// image has labels of deploy-steps, which only containers may have
    LabelledAsOurs = 16,
    /// image is not present on this engine
    ImageAbsent = 20,
    /// a candidate exists already
    CandidateExists = 21,
    /// a run option is not allowed, or not understood by the engine
    OptionRefused = 22,
    /// a writable volume is shared with the live container
    SharedVolume = 23,
    /// the candidate did not start
    NotStarted = 24,
    /// an unfinished promotion must be finished first
    PromotionUnfinished = 25,
    /// a newer deployment is live, or on its way
    Outdated = 26,
    /// values of the previous release are gone: give the run options again
    ValuesGone = 27,
    /// not healthy in time
    Unhealthy = 30,
    /// no such container
    NoContainer = 31,
    /// container exited, restarted or was killed
    Crashed = 32,
    /// no address to probe
    NoAddress = 33,
    /// no running, healthy candidate to promote
    NoCandidate = 40,
    /// rolled back: the final container was not healthy
    RolledBackUnhealthy = 41,
    /// rolled back: the final container did not start
    RolledBackNotStarted = 42,
    /// the rollback failed: needs a person
    RollbackFailed = 43,
    /// a bridge is required but not possible
    NoBridge = 44,
    /// another promotion of this app holds the lock
    Locked = 45,
    /// a host port is taken by something else
    PortTaken = 46,
    /// the final container would not be what was verified
    NotVerified = 47,
    /// the release is live, but the gap was longer than allowed
    GapTooLong = 48,
    /// a newer deployment went live meanwhile
    Overtaken = 49,
    /// something could not be removed (the rest was)
    NotRemoved = 50,
}

impl Code {
    /// The process exit code.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The stable name used in reports, e.g. `digest_mismatch`.
    pub fn kind(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The meaning in a few words.
    pub fn meaning(self) -> String {
        self.to_possible_value()
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }
}

/// The end of a step's `--help`: the shared codes and the step's own block of ten,
/// which starts at `block` (10 for pull-image, 20 for start-candidate, …).
pub fn codes_help(block: u8) -> String {
    let own = |code: &&Code| code.number() < 10 || code.number() / 10 == block / 10;
    let lines = Code::value_variants()
        .iter()
        .filter(own)
        .map(|code| format!("  {:>3}  {}", code.number(), code.meaning()));
    std::iter::once("Exit codes:".to_owned())
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The same below a step's examples, each a sentence and a command, as `--help` and the man page end.
pub fn help_end(block: u8, examples: &[(&str, &str)]) -> String {
    let lines = examples
        .iter()
        .map(|(what, command)| format!("  {what}:\n    {command}"));
    let examples = lines.collect::<Vec<_>>().join("\n");
    format!("Examples:\n{examples}\n\n{}", codes_help(block))
}

/// What a failure means for the caller.
#[derive(Debug)]
pub struct Verdict {
    /// The exit code.
    pub code: Code,
    /// What to do about it.
    pub hint: Cow<'static, str>,
}

impl Verdict {
    /// A verdict.
    pub fn new(code: Code, hint: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            hint: hint.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_number_kind_and_meaning() {
        let all = Code::value_variants();
        for (i, code) in all.iter().enumerate() {
            assert!(!code.meaning().is_empty(), "{code:?}");
            assert!(all[..i].iter().all(|other| other.number() < code.number()));
            assert!(code.number() < 101, "{code:?} is in the range kept free");
        }
        assert_eq!(Code::DigestMismatch.kind(), "digest_mismatch");
    }
}
