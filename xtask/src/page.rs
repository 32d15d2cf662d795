//! The picture of deployments under load: one HTML page with everything in it and no script.

mod chart;
mod drawing;
mod stages;
mod trace;

use std::fmt::Write;

use crate::table::Table;
pub(crate) use stages::percent;
pub(crate) use trace::Trace;

const TEMPLATE: &str = include_str!("page/page.html");
const LEGEND: &str = include_str!("page/legend.html");

/// A page; all texts are plain and are escaped here.
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
    pub(crate) text: String,
    pub(crate) swaps: Vec<Swap>,
}

/// One chart.
#[derive(Debug, Default)]
pub(crate) struct Swap {
    pub(crate) title: String,
    /// What it cost, in one sentence.
    pub(crate) verdict: String,
    /// Whether no request failed.
    pub(crate) good: bool,
    pub(crate) trace: Trace,
}

impl Page {
    pub(crate) fn html(&self) -> String {
        let mut body = table(&self.glance);
        for group in &self.groups {
            body.push_str(&section(group));
        }
        for one in &self.tables {
            body.push_str(&table(one));
        }
        if !self.notes.is_empty() {
            let items: String = self
                .notes
                .iter()
                .map(|it| format!("<li>{}</li>", escaped(it)))
                .collect();
            let _ = write!(
                body,
                "<section><h2>How it was measured</h2><ul class=notes>{items}</ul></section>"
            );
        }
        document(&self.title, &self.lead, LEGEND, &body)
    }
}

/// The page around a legend and a body, which are HTML; title and lead are plain.
pub(crate) fn document(title: &str, lead: &str, legend: &str, body: &str) -> String {
    // The body last, so that no text of it can be taken for a mark of the template.
    TEMPLATE
        .replace("{{title}}", &escaped(title))
        .replace("{{legend}}", legend.trim_end())
        .replace("{{lead}}", &escaped(lead))
        .replacen("{{body}}", body, 1)
}

fn section(group: &Group) -> String {
    let ends = group.swaps.iter().map(|it| it.trace.end_ms());
    let span = ends.fold(0.0, f64::max);
    let mut html = format!("<section><h2>{}</h2>", escaped(&group.title));
    if !group.text.is_empty() {
        let _ = write!(html, "<p>{}</p>", escaped(&group.text));
    }
    html.push_str("<div class=charts>");
    for swap in &group.swaps {
        let (class, sign) = if swap.good {
            ("good", "✓")
        } else {
            ("bad", "✕")
        };
        let _ = write!(
            html,
            "<figure><figcaption><h3>{}</h3><p class={class}><span aria-hidden=true>{sign}</span> {}</p></figcaption>{}</figure>",
            escaped(&swap.title),
            escaped(&swap.verdict),
            chart::html(swap, span),
        );
    }
    html.push_str("</div></section>");
    html
}

/// A table under its caption; nothing without rows.
pub(crate) fn table(table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let head = table.head.iter().enumerate().map(|(column, text)| {
        let class = if column < table.left {
            " class=left"
        } else {
            ""
        };
        format!("<th scope=col{class}>{}</th>", escaped(text))
    });
    let row = |cells: &Vec<String>| {
        let cells = cells.iter().enumerate().map(|(column, text)| match text {
            text if column < table.left => format!("<th scope=row>{}</th>", escaped(text)),
            text => format!("<td{}>{}</td>", class_of(text), escaped(text)),
        });
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let rows: String = table.rows.iter().map(row).collect();
    let (caption, head) = (escaped(&table.caption), head.collect::<String>());
    format!(
        "<section><h2>{caption}</h2><div class=table role=region aria-label=\"{caption}\" tabindex=0><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>",
    )
}

// A verdict is coloured; a mere number is not.
fn class_of(cell: &str) -> &'static str {
    match cell.strip_suffix(" failed") {
        Some("0") => " class=good",
        Some(_) => " class=bad",
        None => "",
    }
}

/// Text as it may stand in HTML, between tags and in quoted attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
