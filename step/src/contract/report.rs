//! The shape of every report, successful or not, and its JSON Schema.

use std::time::Instant;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::json;

use crate::exit_code::Code;
use crate::time::millis;

#[derive(Serialize, JsonSchema)]
struct Success<'a, R> {
    step: &'a str,
    /// Always true.
    #[schemars(extend("const" = true))]
    ok: bool,
    #[serde(flatten)]
    body: &'a R,
    /// The whole step, in milliseconds.
    took_ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct Failed<'a, E> {
    step: &'a str,
    /// Always false.
    #[schemars(extend("const" = false))]
    ok: bool,
    error: ErrorBody<'a>,
    #[serde(flatten)]
    evidence: &'a E,
    /// The whole step, in milliseconds.
    took_ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct ErrorBody<'a> {
    /// The exit code.
    code: u8,
    /// The code's stable name.
    kind: String,
    /// What happened, to what.
    message: &'a str,
    /// What to do.
    hint: &'a str,
}

pub(crate) fn success<R: Serialize>(step: &str, body: &R, started: Instant) -> String {
    line(&Success {
        step,
        ok: true,
        body,
        took_ms: millis(started.elapsed()),
    })
}

pub(crate) fn failure<E: Serialize>(
    step: &str,
    code: Code,
    message: &str,
    hint: &str,
    evidence: &E,
    started: Instant,
) -> String {
    let error = ErrorBody {
        code: code.number(),
        kind: code.kind(),
        message,
        hint,
    };
    line(&Failed {
        step,
        ok: false,
        error,
        evidence,
        took_ms: millis(started.elapsed()),
    })
}

fn line(report: &impl Serialize) -> String {
    serde_json::to_string(report).unwrap_or_else(|error| {
        let message = format!("the report could not be written as JSON: {error}");
        json!({"ok": false, "error": {"code": 1, "kind": "unexpected", "message": message}})
            .to_string()
    })
}

/// The JSON Schema of a step's stdout.
pub(crate) fn schema<R: JsonSchema, E: JsonSchema>(step: &str) -> String {
    let title = format!("report of {step}");
    // Inlined, because references would point at the root and not into `oneOf`.
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| {
            settings.inline_subschemas = true;
            // The document's root says it, and it alone may.
            settings.meta_schema = None;
        });
    let success = settings
        .clone()
        .into_generator()
        .into_root_schema_for::<Success<'_, R>>();
    let failure = settings
        .into_generator()
        .into_root_schema_for::<Failed<'_, E>>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:deploy-steps:report:{step}"),
        "title": title,
        "oneOf": [success, failure],
    })
    .to_string()
}
