//! The demo's own deployments as a page.

use stage::cargo;

use crate::numbers::Numbers;
use crate::page::{self, Group, Page, Swap, Trace};
use crate::pipeline::Report;
use crate::swap::{RATE, Seen};
use crate::table::{Table, ms, seconds, texts, thousands};

/// Where the page is left, in the target folder.
const FILE: &str = "demo.html";

/// What the page will show.
#[derive(Default)]
pub(super) struct Picture {
    swaps: Vec<Swap>,
    rows: Vec<Vec<String>>,
}

impl Picture {
    pub(super) fn add(&mut self, title: &str, report: &Report, seen: &Seen) {
        let numbers = Numbers::of(&seen.outcome, report.took_ms);
        let end = match report.failed_step {
            Some(step) => format!("refused by {step} (exit {})", report.exit_code),
            None => "live".to_owned(),
        };
        self.rows.push(vec![
            title.to_owned(),
            end.clone(),
            thousands(numbers.sent),
            thousands(numbers.failed),
            ms(numbers.longest_gap_ms),
            ms(numbers.p50_ms),
            ms(numbers.p99_ms),
            ms(numbers.max_ms),
            seconds(numbers.deploy_ms as f64),
        ]);
        self.swaps.push(Swap {
            title: format!("{title}: {end}"),
            verdict: numbers.verdict(),
            good: numbers.failed == 0,
            trace: Trace::of(seen, &report.spans),
        });
    }

    /// Writes the page and returns where it is.
    pub(super) fn leave(self) -> anyhow::Result<String> {
        let head = [
            "release",
            "came to be",
            "requests",
            "failed",
            "longest gap, ms",
            "p50, ms",
            "p99, ms",
            "max, ms",
            "took, s",
        ];
        let page = Page {
            title: "Good and bad releases under load".to_owned(),
            lead: format!(
                "{RATE} requests a second arrive at the app's published port, each on a new connection, while releases are deployed over it. Good ones take over; bad ones are refused, and the one before goes on answering."
            ),
            groups: vec![Group {
                title: "Releases".to_owned(),
                swaps: self.swaps,
            }],
            tables: vec![Table {
                caption: "All numbers".to_owned(),
                left: 2,
                head: texts(head),
                rows: self.rows,
            }],
            ..Page::default()
        };
        let file = cargo::target_dir()?.join(FILE);
        page::write(&file, &page.html())?;
        Ok(file.display().to_string())
    }
}
