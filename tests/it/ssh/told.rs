//! What GitHub's runner takes for commands in the log of a job.

/// Something that the runner did because a line of the log said so.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// All commands in a log; to the runner a carriage return ends a line, too.
pub(crate) fn told(log: &str) -> Vec<Told> {
    log.split(['\n', '\r']).filter_map(command).collect()
}

/// `::name properties::text` at the line's beginning, `##[name properties]text` anywhere in it.
fn command(line: &str) -> Option<Told> {
    let begun = line.trim_start().strip_prefix("::");
    let (head, text) = begun
        .and_then(|rest| rest.split_once("::"))
        .or_else(|| line.split_once("##[")?.1.split_once(']'))?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let title = properties.strip_prefix("title=").unwrap_or(properties);
    assert!(!title.contains([',', ':']), "{line}");
    Some(Told {
        name: name.to_owned(),
        title: unescaped(title),
        text: unescaped(text),
    })
}

fn unescaped(text: &str) -> String {
    let pairs = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")];
    let text = pairs
        .iter()
        .fold(text.to_owned(), |text, it| text.replace(it.0, it.1));
    text.replace("%25", "%")
}
