//! What nft's tables and chains look like, and where in the kernel two of the chains are.

use crate::bridge::plan::Plan;
use crate::bridge::redirect::PortRedirect;

/// Where the port of what comes in is put right, behind all other rules.
pub(super) const RELABEL: &str = "filter hook input priority 290";
/// Where that of what goes out is, before the kernel tracks it.
pub(super) const ANSWERS: &str = "filter hook output priority -350";

/// A chain's rules about one port.
pub(super) type Rules = fn(&Plan, &PortRedirect) -> Vec<String>;

pub(super) fn chain(name: &str, hook: &str, rules: impl Iterator<Item = String>) -> String {
    let rules: String = rules.map(|rule| format!("    {rule}\n")).collect();
    format!("  chain {name} {{\n    type {hook};\n{rules}  }}\n")
}

/// The beginning of a script that makes a table in the place of any of its name.
pub(super) fn anew(family: &str, table: &str) -> String {
    format!("add table {family} {table}\ndelete table {family} {table}\n")
}
