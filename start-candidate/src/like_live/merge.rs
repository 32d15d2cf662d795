//! Options of the caller beside options of the live container: where both give one, the caller's counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use step::model::run_options::{Edit, Flag, edited, flags};
use step::recipe::Recipe;
use step::text::printable;

use crate::failure::{Failure, WayOut};

/// Letters and older names by the long ones.
const NAMES: [(&str, &str); 12] = [
    ("a", "attach"),
    ("c", "cpu-shares"),
    ("dns-opt", "dns-option"),
    ("h", "hostname"),
    ("l", "label"),
    ("m", "memory"),
    ("net", "network"),
    ("net-alias", "network-alias"),
    ("u", "user"),
    ("v", "volume"),
    ("w", "workdir"),
    ("p", "publish"),
];
/// Those that are given for a name, such as a variable.
const NAMED: [&str; 7] = [
    "annotation",
    "env",
    "label",
    "log-opt",
    "storage-opt",
    "sysctl",
    "ulimit",
];
/// Those that are given as often as one likes.
const MANY: [&str; 20] = [
    "add-host",
    "blkio-weight-device",
    "cap-add",
    "cap-drop",
    "device",
    "device-cgroup-rule",
    "device-read-bps",
    "device-read-iops",
    "device-write-bps",
    "device-write-iops",
    "dns",
    "dns-option",
    "dns-search",
    "env-file",
    "expose",
    "group-add",
    "label-file",
    "link",
    "security-opt",
    "volumes-from",
];
/// Those that mean nothing beside another network.
const OF_A_NETWORK: [&str; 6] = [
    "network",
    "network-alias",
    "ip",
    "ip6",
    "link-local-ip",
    "mac-address",
];
/// What a release has of the live container without a word, or what is of its image.
const CARRIED: [&str; 8] = [
    "network",
    "network-alias",
    "ip",
    "ip6",
    "stop-timeout",
    "platform",
    "pull",
    "disable-content-trust",
];

/// The recipe of the live container without what the caller gives, and the names of what goes for an env file.
pub(super) fn over(own: &Recipe, given: &Recipe) -> Result<(Recipe, Vec<String>), Failure> {
    let (options, replaced) = without_given(&own.options, given);
    let variables: BTreeSet<&str> = variables(&options).collect();
    let mut values = own.values.clone();
    values.retain(|name, _| variables.contains(name.as_str()));
    let folder = folder(&options, own, given)?;
    let kept = Recipe {
        options: options.clone(),
        values,
        folder,
        ..own.clone()
    };
    Ok((kept, replaced))
}

/// The live container's `own` options without what the caller gives, and the names of what goes for an env file.
pub(super) fn without_given(own: &[String], given: &Recipe) -> (Vec<String>, Vec<String>) {
    let theirs: BTreeSet<(&str, String)> = flags(&given.options).iter().map(key).collect();
    let has = |flag: &str| theirs.iter().any(|(name, _)| *name == flag);
    let (has_network, in_files) = (has("network"), variables_of_files(given));
    let mut replaced = Vec::new();
    let options = edited(own, |flag| {
        let (name, part) = key(&flag);
        if theirs.contains(&(name, part)) || has_network && OF_A_NETWORK.contains(&name) {
            return Edit::Drop;
        }
        match (name, &in_files) {
            ("env" | "env-file", None) => {
                replaced.push(shown(&flag));
                Edit::Drop
            }
            ("env", Some(names)) if names.contains(flag.value) => Edit::Drop,
            _ => Edit::Keep,
        }
    });
    (options, replaced)
}

/// The variables that the caller's env files name; `None` where one of them is no file, and can be read once only.
fn variables_of_files(given: &Recipe) -> Option<BTreeSet<String>> {
    let files = flags(&given.options)
        .into_iter()
        .filter(|flag| flag.name == "env-file");
    let mut names = BTreeSet::new();
    for file in files {
        let path = Path::new(&given.folder).join(file.value);
        let text = path.is_file().then(|| fs::read_to_string(&path).ok())??;
        let lines = text.lines().map(str::trim_start);
        names.extend(lines.filter_map(|line| Some(line.split('=').next()?.to_owned())));
    }
    Some(names)
}

fn variables(options: &[String]) -> impl Iterator<Item = &str> {
    let all = flags(options).into_iter().filter(|flag| flag.name == "env");
    all.map(|flag| flag.value.split('=').next().unwrap_or_default())
}

/// Relative paths are meant in one folder.
fn folder(kept: &[String], own: &Recipe, given: &Recipe) -> Result<String, Failure> {
    use step::engine::folder::mentions_relative_paths as relative;
    match (relative(kept), relative(&given.options)) {
        (true, true) if own.folder != given.folder => Err(Failure::refused(
            format!(
                "relative paths, as those of the live container are meant in {}; name files by absolute paths",
                printable(&own.folder, 200)
            ),
            WayOut::Mend,
        )),
        (true, _) => Ok(own.folder.clone()),
        (false, _) => Ok(given.folder.clone()),
    }
}

/// What can be given once only.
pub(super) fn key<'a>(flag: &Flag<'a>) -> (&'a str, String) {
    let name = NAMES.iter().find(|(other, _)| *other == flag.name);
    let name = name.map_or(flag.name, |(_, name)| *name);
    match name {
        "volume" | "mount" | "tmpfs" => ("volume", place(name, flag.value)),
        name if NAMED.contains(&name) => (
            name,
            flag.value.split('=').next().unwrap_or_default().to_owned(),
        ),
        name if MANY.contains(&name) => (name, flag.value.to_owned()),
        name => (name, String::new()),
    }
}

/// The place of a volume in the container.
fn place(name: &str, value: &str) -> String {
    let mut fields = value
        .split(',')
        .filter_map(|field| field.trim_matches('"').split_once('='));
    let parts: Vec<&str> = value.split(':').collect();
    let found = match (name, &parts[..]) {
        ("mount", _) => fields
            .find(|(key, _)| matches!(*key, "target" | "dst" | "destination"))
            .map(|it| it.1),
        ("volume", [_, place, ..]) => Some(*place),
        (_, [place, ..]) => Some(*place),
        (_, []) => None,
    };
    found.unwrap_or_default().trim_end_matches('/').to_owned()
}

/// The names of options, each once: of a variable or a label with its own, never with a value. Those that a release has
/// anyhow are not among them.
pub(super) fn names(options: &[String]) -> Vec<String> {
    let valued = flags(options).into_iter();
    let valued = valued
        .filter(|flag| !CARRIED.contains(&key(flag).0))
        .map(|flag| shown(&flag));
    let switches = options
        .iter()
        .filter(|word| word.starts_with('-') && is_switch(options, word));
    let mut all: Vec<String> = Vec::new();
    for name in valued.chain(switches.map(|word| printable(word, 50))) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Whether a word stands alone: without flags that have values nothing else is left.
fn is_switch(options: &[String], word: &String) -> bool {
    edited(options, |_| Edit::Drop).contains(word)
}

fn shown(flag: &Flag<'_>) -> String {
    let (name, part) = key(flag);
    match name {
        "volume" => format!("--{name} {}", printable(&part, 100)),
        name if NAMED.contains(&name) => format!("--{name} {}", printable(&part, 100)),
        name => format!("--{name}"),
    }
}
