//! The picture of deployments under load: one HTML page with everything in it and no script.

mod chart;
mod document;
mod drawing;
mod stages;
#[cfg(test)]
mod tests;
mod trace;

use std::fs;
use std::path::Path;

use anyhow::Context;
use maud::{Markup, html};

use crate::table::Table;
pub(crate) use document::{document, legend, table};
pub(crate) use drawing::svg;
pub(crate) use stages::percent;
pub(crate) use trace::{Swap, Trace};

/// The classes of each swatch, and what it stands for.
const LEGEND: [(&str, &str); 6] = [
    ("v0", "answered by the old release"),
    ("v1", "answered by the new one"),
    ("failed hatch", "failed (striped)"),
    (
        "window",
        "the swap: from the stop of the old container to the start of the new one",
    ),
    ("median", "median answer time"),
    ("slowest", "slowest"),
];

/// A page; all texts are plain.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) title: String,
    /// What is to be seen, in a few sentences.
    pub(crate) lead: String,
    /// The result at a glance.
    pub(crate) glance: Table,
    pub(crate) groups: Vec<Group>,
    pub(crate) tables: Vec<Table>,
    /// Where and how it was measured.
    pub(crate) notes: Vec<String>,
}

/// Charts with one time axis, to be compared with each other.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) swaps: Vec<Swap>,
}

impl Page {
    pub(crate) fn html(&self) -> String {
        let body = html! {
            (table(&self.glance))
            @for group in &self.groups { (section(group)) }
            @for one in &self.tables { (table(one)) }
            @if !self.notes.is_empty() {
                section {
                    h2 { "How it was measured" }
                    ul.notes { @for it in &self.notes { li { (it) } } }
                }
            }
        };
        document(&self.title, &self.lead, &legend(&LEGEND), &body)
    }
}

fn section(group: &Group) -> Markup {
    let ends = group.swaps.iter().map(|it| it.trace.end_ms());
    let span = ends.fold(0.0, f64::max);
    html! {
        section {
            h2 { (group.title) }
            div.charts { @for swap in &group.swaps { (figure(swap, span)) } }
        }
    }
}

fn figure(swap: &Swap, span: f64) -> Markup {
    let (class, sign) = if swap.good {
        ("good", "✓")
    } else {
        ("bad", "✕")
    };
    html! {
        figure {
            figcaption {
                h3 { (swap.title) }
                p class=(class) { span aria-hidden="true" { (sign) } " " (swap.verdict) }
            }
            (chart::html(swap, span))
        }
    }
}

/// Writes a page, or what it was drawn from, with the folders it lies in.
pub(crate) fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}
