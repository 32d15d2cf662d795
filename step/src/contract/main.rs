//! The one entry point of all steps: arguments, handoff, deed, report, exit code.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::args::StepArgs;
use super::failure::Failure;
use super::handoff::{self, Handoff, Received};
use super::{identity, report};
use crate::engine::api::child;
use crate::exit_code::{Code, Verdict};
use crate::role::{self, Role};
use crate::text::printable;
use crate::text::secrets::HIDDEN;
use crate::{signals, terminal};

/// Runs a step: exactly one JSON line on stdout, its failure as a sentence on stderr, its exit code. Started for one of
/// the step's own `roles`, or for one that all have, it does that work instead.
pub fn main<A, R, F>(run: impl FnOnce(&A) -> Result<R, F>, roles: &[Role]) -> ExitCode
where
    A: StepArgs,
    R: Serialize + JsonSchema,
    F: Failure,
{
    let of_all = [
        child::ROLE,
        #[cfg(feature = "pages")]
        super::manual::role::<A>(),
    ];
    if let Some(code) = role::requested(&of_all).or_else(|| role::requested(roles)) {
        return code;
    }
    let mut started = Instant::now();
    let words: Vec<OsString> = env::args_os().collect();
    let args: A = match identity::flags(&words) {
        Ok(args) => args,
        Err(error) => return usage(error),
    };
    let step = A::command().get_name().to_owned();
    if args.common().schema {
        return written(
            terminal::report(&report::schema::<R, F::Evidence>(&step)),
            Code::Done.number(),
        );
    }
    terminal::be_quiet(args.common().quiet);
    if let Err(error) = signals::catch_signals() {
        terminal::warn(&format!("{step}: signals keep their defaults: {error}"));
    }
    let handoff = match received(args.common().from.as_deref(), &step, started) {
        Ok(handoff) => handoff,
        Err((line, code)) => return written(terminal::report(&line), code),
    };
    // Waiting for the step before is not this step's time.
    if args.common().from.is_some() {
        started = Instant::now();
    }
    let args = match ready(args, &words, &handoff) {
        Ok(args) => args,
        Err(error) => return usage(error),
    };
    let (line, code) = outcome(&step, run(&args), started);
    written(terminal::report(&line), code)
}

/// What the step before hands on; where it failed, or said nothing of use, the line and the exit code of this one.
fn received(from: Option<&Path>, step: &str, started: Instant) -> Result<Handoff, (String, u8)> {
    match from.map(handoff::read).transpose() {
        Ok(Some(Received::Handoff(handoff))) => Ok(*handoff),
        Ok(Some(Received::Failed { report, code })) => Err((report, code)),
        Ok(None) => Ok(Handoff::default()),
        Err(error) => Err(outcome(step, Err::<(), _>(error), started)),
    }
}

/// The arguments with nothing missing any more; what was read from the environment is said.
fn ready<A: StepArgs>(args: A, words: &[OsString], handoff: &Handoff) -> Result<A, clap::Error> {
    let (args, read) = identity::settled(args, words, handoff)?;
    if let Some(read) = read {
        terminal::progress(&read);
    }
    match args.check() {
        Ok(()) => Ok(args),
        Err(missing) => Err(A::command().error(ErrorKind::MissingRequiredArgument, missing)),
    }
}

/// The line that a step writes for a result, and its exit code. A failure goes to stderr too.
pub fn outcome<R, F>(step: &str, result: Result<R, F>, started: Instant) -> (String, u8)
where
    R: Serialize + JsonSchema,
    F: Failure,
{
    let failure = match result {
        Ok(report) => return (report::success(step, &report, started), Code::Done.number()),
        Err(failure) => failure,
    };
    let Verdict { code, hint } = failure.verdict();
    let message = failure.to_string();
    terminal::warn(&format!("{step}: {message}"));
    terminal::warn(&format!("  hint: {hint}"));
    let line = report::failure(step, code, &message, &hint, &failure.evidence(), started);
    (line, code.number())
}

/// Help and version go to stdout with 0; a usage error to stderr with 2.
fn usage(mut error: clap::Error) -> ExitCode {
    // A malformed header is a secret all the same.
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && flag.starts_with("--header")
    {
        let hidden = ContextValue::String(HIDDEN.to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg] {
        if let Some(ContextValue::String(word)) = error.get(kind) {
            let harmless = printable(word, 200);
            error.insert(kind, ContextValue::String(harmless));
        }
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Code::Usage.number()))
}

/// A report that nobody could read is a failure, unless the step has already failed worse.
fn written(result: io::Result<()>, code: u8) -> ExitCode {
    match result {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            terminal::warn(&format!(
                "the report could not be written to stdout: {error}"
            ));
            ExitCode::from(code.max(Code::Unexpected.number()))
        }
    }
}
