//! A table of texts, for the terminal and for pages.

use serde::{Deserialize, Serialize};

/// What is measured stands to the right, except in the first `left` columns, which say what it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) left: usize,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Lines of equal columns under the caption; nothing without rows.
    pub(crate) fn text(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = format!("{}\n\n", self.caption);
        for line in lines() {
            let cells = line.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (cell, &width))| {
                if column < self.left {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(&format!("  {}\n", line.trim_end()));
        }
        text
    }
}

/// Words as a line of a table.
pub(crate) fn texts<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in milliseconds with as many places as it can bear.
pub(crate) fn ms(ms: f64) -> String {
    if ms < 10.0 {
        return format!("{ms:.1}");
    }
    thousands(ms.round() as usize)
}

/// A time in milliseconds as seconds.
pub(crate) fn seconds(ms: f64) -> String {
    format!("{:.1}", ms / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let table = Table {
            caption: "Cost".into(),
            left: 1,
            head: texts(["way", "failed"]),
            rows: vec![texts(["plain", "1,204"]), texts(["é", "0"])],
        };
        let wanted = "Cost\n\n  way    failed\n  plain   1,204\n  é           0\n";
        assert_eq!(table.text(), wanted);
        assert_eq!(Table::default().text(), "");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!((ms(0.44), ms(1234.5)), ("0.4".into(), "1,235".into()));
        assert_eq!(seconds(1250.0), "1.2");
    }
}
