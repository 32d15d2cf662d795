//! What every page has: the document around its body, a legend, tables.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::table::Table;

const CSS: PreEscaped<&str> = PreEscaped(include_str!("page.css"));

/// The whole page around a legend and a body.
pub(crate) fn document(title: &str, lead: &str, legend: &Markup, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) }
                style { (CSS) }
            }
            body {
                (stripes())
                main { h1 { (title) } p { (lead) } (legend) (body) }
            }
        }
    };
    page.into_string()
}

/// The pattern over what failed, which the style sheet refers to.
fn stripes() -> Markup {
    let line = "stroke:var(--stripe);stroke-width:1.5;vector-effect:none";
    html! {
        svg width="0" height="0" style="position:absolute" aria-hidden="true" {
            defs {
                pattern id="stripes" width="8" height="5" patternUnits="userSpaceOnUse" {
                    path d="M0 .75H8" style=(line) {}
                }
            }
        }
    }
}

/// A swatch for each pair of classes, drawn over each other, and a text.
pub(crate) fn legend(items: &[(&str, &str)]) -> Markup {
    let shape = |class: &str| match class {
        "median" | "slowest" => "M0 6H22",
        _ => "M0 0H22V12H0z",
    };
    html! {
        ul.legend {
            @for (classes, text) in items {
                li {
                    svg aria-hidden="true" {
                        @for class in classes.split(' ') { path class=(class) d=(shape(class)) {} }
                    }
                    (text)
                }
            }
        }
    }
}

/// A table under its caption; nothing without rows.
pub(crate) fn table(table: &Table) -> Markup {
    if table.rows.is_empty() {
        return Markup::default();
    }
    let left = |column| (column < table.left).then_some("left");
    html! {
        section {
            h2 { (table.caption) }
            div.table role="region" aria-label=(table.caption) tabindex="0" {
                table {
                    thead {
                        tr {
                            @for (column, text) in table.head.iter().enumerate() {
                                th scope="col" class=[left(column)] { (text) }
                            }
                        }
                    }
                    tbody { @for cells in &table.rows { tr { (row(cells, table.left)) } } }
                }
            }
        }
    }
}

fn row(cells: &[String], left: usize) -> Markup {
    html! {
        @for (column, text) in cells.iter().enumerate() {
            @if column < left {
                th scope="row" { (text) }
            } @else {
                td class=[class_of(text)] { (text) }
            }
        }
    }
}

// A verdict is coloured; a mere number is not.
fn class_of(cell: &str) -> Option<&'static str> {
    let failed = cell.strip_suffix(" failed")?;
    Some(if failed == "0" { "good" } else { "bad" })
}
