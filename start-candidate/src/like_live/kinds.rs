//! How values that `docker inspect` shows are written in options.

use serde_json::Value;

/// The kind of a value; each that it has is a value of the option. `None` is one that no option can have.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A text or a number.
    Text,
    /// Given alone.
    Switch,
    /// A time.
    Nanoseconds,
    /// A number of processors, in billionths.
    Cpus,
    /// Texts.
    List,
    /// The keys of an object.
    Keys,
    /// Keys with their values, and what stands between them.
    Pairs(&'static str),
    /// Objects, or texts of another form.
    Each(fn(&Value) -> Option<String>),
}

impl Kind {
    pub(super) fn values(self, shown: &Value) -> Vec<Option<String>> {
        let each = || shown.as_array().into_iter().flatten();
        let fields = || shown.as_object().into_iter().flatten();
        match self {
            Self::Text => text(shown).map(Some).into_iter().collect(),
            Self::Switch if shown == &Value::Bool(true) => vec![Some(String::new())],
            Self::Switch => Vec::new(),
            Self::Nanoseconds => shown.as_i64().map(time).into_iter().collect(),
            Self::Cpus => shown.as_u64().map(cpus).into_iter().collect(),
            Self::List => each().map(text).collect(),
            Self::Keys => fields().map(|(key, _)| Some(key.clone())).collect(),
            Self::Pairs(between) => fields()
                .map(|(key, value)| pair(key, between, value))
                .collect(),
            Self::Each(written) => each()
                .filter(|it| !is_others(written, it))
                .map(written)
                .collect(),
        }
    }
}

/// Requests for devices are of two kinds.
fn is_others(written: fn(&Value) -> Option<String>, request: &Value) -> bool {
    let is_cdi = request["Driver"] == "cdi";
    let of = |one: fn(&Value) -> Option<String>| std::ptr::fn_addr_eq(written, one);
    of(gpus) && is_cdi || of(cdi) && !is_cdi
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|it| !it.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Without an end where the value is empty and `between` only parts it.
fn pair(key: &str, between: &str, value: &Value) -> Option<String> {
    match value.as_str()? {
        "" if between == ":" => Some(key.to_owned()),
        value => Some(format!("{key}{between}{value}")),
    }
}

fn time(nanoseconds: i64) -> Option<String> {
    Some(match nanoseconds {
        0 => "0".to_owned(),
        some => format!("{some}ns"),
    })
}

fn cpus(billionths: u64) -> Option<String> {
    let (whole, rest) = (billionths / 1_000_000_000, billionths % 1_000_000_000);
    Some(match rest {
        0 => whole.to_string(),
        rest => format!("{whole}.{rest:09}")
            .trim_end_matches('0')
            .to_owned(),
    })
}

/// `PATH:RATE`
pub(super) fn rate(value: &Value) -> Option<String> {
    Some(format!(
        "{}:{}",
        value["Path"].as_str()?,
        value["Rate"].as_u64()?
    ))
}

/// `PATH:WEIGHT`
pub(super) fn weight(value: &Value) -> Option<String> {
    Some(format!(
        "{}:{}",
        value["Path"].as_str()?,
        value["Weight"].as_u64()?
    ))
}

/// `HOST:CONTAINER:RIGHTS`
pub(super) fn device(value: &Value) -> Option<String> {
    let of = |key: &str| value[key].as_str();
    let rights = of("CgroupPermissions")
        .filter(|it| !it.is_empty())
        .unwrap_or("rwm");
    Some(format!(
        "{}:{}:{rights}",
        of("PathOnHost")?,
        of("PathInContainer")?
    ))
}

/// `NAME=SOFT:HARD`; podman writes the kernel's name.
pub(super) fn ulimit(value: &Value) -> Option<String> {
    let name = value["Name"].as_str()?;
    let name = name
        .strip_prefix("RLIMIT_")
        .map_or(name.to_owned(), str::to_lowercase);
    Some(format!(
        "{name}={}:{}",
        value["Soft"].as_i64()?,
        value["Hard"].as_i64()?
    ))
}

/// `/db:/web/alias` is `db:alias`.
pub(super) fn link(value: &Value) -> Option<String> {
    let (called, as_seen) = value.as_str()?.split_once(':')?;
    let alias = as_seen.rsplit('/').next()?;
    Some(format!("{}:{alias}", called.trim_start_matches('/')))
}

/// A device by its name in a file of its maker's.
pub(super) fn cdi(value: &Value) -> Option<String> {
    match &strings(&value["DeviceIDs"])[..] {
        [only] => Some((*only).to_owned()),
        _ => None,
    }
}

/// What `--gpus` takes: a list of fields, quoted where they are lists themselves.
pub(super) fn gpus(value: &Value) -> Option<String> {
    let options = value["Options"]
        .as_object()
        .is_some_and(|it| !it.is_empty());
    let kinds = value["Capabilities"].as_array()?;
    let ([kinds], false) = (&kinds[..], options) else {
        return None;
    };
    let (ids, count) = (
        strings(&value["DeviceIDs"]),
        value["Count"].as_i64().unwrap_or(0),
    );
    let mut fields = match (&ids[..], count) {
        ([], -1) => vec!["count=all".to_owned()],
        ([], count) => vec![format!("count={count}")],
        (ids, _) => vec![format!("\"device={}\"", ids.join(","))],
    };
    let driver = value["Driver"].as_str().filter(|it| !it.is_empty());
    fields.extend(driver.map(|driver| format!("driver={driver}")));
    let mut more = strings(kinds);
    more.retain(|it| *it != "gpu");
    fields.extend((!more.is_empty()).then(|| format!("\"capabilities={}\"", more.join(","))));
    Some(fields.join(","))
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
