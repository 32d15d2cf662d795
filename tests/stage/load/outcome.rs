//! What a load has seen, as data, and the few numbers that tests and pictures ask for.

use serde::{Deserialize, Serialize};

/// All requests of one load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// In the order in which the requests ended.
    pub samples: Vec<Sample>,
}

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// When it was due, in milliseconds since the start of the load.
    pub at_ms: f64,
    /// How long after that it had its answer or its failure, in milliseconds.
    pub took_ms: f64,
    /// What came of it.
    pub answer: Answer,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Answer {
    /// A whole answer with a status from 200 to 299.
    Ok {
        /// The HTTP status.
        status: u16,
        /// The body: of the demo application its version.
        body: String,
    },
    /// Anything else.
    Failed {
        /// In which way.
        kind: Kind,
    },
}

/// The ways in which a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The name has no address.
    Unresolved,
    /// Nobody listens.
    Refused,
    /// The connection broke in the middle.
    Reset,
    /// No whole answer in time.
    Timeout,
    /// The connection was closed without a byte.
    Empty,
    /// A whole answer with a status that is not from 200 to 299.
    BadStatus,
    /// Something else: no route, no free thread, no HTTP.
    Other,
}

impl Sample {
    /// When it ended, in milliseconds since the start of the load.
    pub fn end_ms(&self) -> f64 {
        self.at_ms + self.took_ms
    }

    fn is_ok(&self) -> bool {
        matches!(self.answer, Answer::Ok { .. })
    }
}

impl Outcome {
    pub(super) fn new(mut samples: Vec<Sample>) -> Outcome {
        samples.sort_by(|a, b| a.end_ms().total_cmp(&b.end_ms()));
        Outcome { samples }
    }

    /// How many requests were sent.
    pub fn sent(&self) -> usize {
        self.samples.len()
    }

    /// How many of them failed.
    pub fn failed(&self) -> usize {
        self.samples.iter().filter(|it| !it.is_ok()).count()
    }

    /// The time the slowest good answer took, in milliseconds.
    pub fn slowest_ms(&self) -> f64 {
        self.percentile(100.0)
    }

    /// The ways in which requests failed, each once.
    pub fn kinds(&self) -> Vec<Kind> {
        let kind = |it: &Sample| match it.answer {
            Answer::Failed { kind } => Some(kind),
            Answer::Ok { .. } => None,
        };
        let mut kinds: Vec<Kind> = self.samples.iter().filter_map(kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The longest time between the ends of two successive good answers, in milliseconds; 0 below two.
    pub fn longest_gap_ms(&self) -> f64 {
        let ends: Vec<f64> = self.good().map(Sample::end_ms).collect();
        ends.windows(2)
            .map(|two| two[1] - two[0])
            .fold(0.0, f64::max)
    }

    /// The bodies of the good answers, each once, in the order in which they first came.
    pub fn versions(&self) -> Vec<&str> {
        let mut versions = Vec::new();
        for sample in &self.samples {
            if let Answer::Ok { body, .. } = &sample.answer
                && !versions.contains(&body.as_str())
            {
                versions.push(body.as_str());
            }
        }
        versions
    }

    /// The time within which `p` percent of the good answers came, in milliseconds; 0 when there is none.
    pub fn percentile(&self, p: f64) -> f64 {
        let mut times: Vec<f64> = self.good().map(|it| it.took_ms).collect();
        times.sort_by(f64::total_cmp);
        let rank = (times.len() as f64 * p / 100.0).ceil() as usize;
        let last = times.len().saturating_sub(1);
        times
            .get(rank.saturating_sub(1).min(last))
            .copied()
            .unwrap_or_default()
    }

    fn good(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|it| it.is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(at_ms: f64, took_ms: f64, body: &str) -> Sample {
        Sample {
            at_ms,
            took_ms,
            answer: Answer::Ok {
                status: 200,
                body: body.into(),
            },
        }
    }

    #[test]
    fn gaps_and_versions_go_by_the_order_in_which_answers_came() {
        let outcome = Outcome::new(vec![
            ok(0.0, 90.0, "v2"),
            ok(5.0, 1.0, "v1"),
            ok(10.0, 30.0, "v1"),
        ]);
        assert_eq!(outcome.versions(), ["v1", "v2"]);
        assert_eq!(outcome.longest_gap_ms(), 50.0);
        assert_eq!(outcome.percentile(50.0), 30.0);
        assert_eq!(outcome.percentile(100.0), 90.0);
        assert_eq!(Outcome::new(Vec::new()).percentile(50.0), 0.0);
    }

    #[test]
    fn a_sample_is_flat_data() {
        let json = serde_json::to_string(&ok(1.0, 2.0, "v1").answer).unwrap();
        assert_eq!(json, r#"{"outcome":"ok","status":200,"body":"v1"}"#);
    }
}
