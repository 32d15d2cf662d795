//! What tasks are made with, as options that make the same of another service, and what those options cannot say.

mod kinds;
mod values;

use serde_json::{Map, Value};

use kinds::How::{Many, One};
use kinds::{ARGS, KINDS, Kind, OWN};
use values::plain;

/// What a service's tasks are made with.
#[derive(Debug)]
pub struct ServiceOptions<'a> {
    template: &'a Value,
}

/// Whether options for `docker service create` name one, in either form.
pub fn sets_flag(options: &[String], flag: &str) -> bool {
    let long = format!("--{flag}");
    let short = match flag {
        "env" => "-e",
        "user" => "-u",
        "workdir" => "-w",
        "publish" => "-p",
        "label" => "-l",
        "detach" => "-d",
        "quiet" => "-q",
        _ => &long,
    };
    options.iter().any(|option| {
        let name = option.split('=').next().unwrap_or_default();
        name == long || name == short
    })
}

impl<'a> ServiceOptions<'a> {
    pub(super) fn of(template: &'a Value) -> Self {
        Self { template }
    }

    fn at(&self, place: &str) -> &Value {
        self.template.pointer(place).unwrap_or(&Value::Null)
    }

    /// The options that make another service's tasks like these, but for those that `given` names itself.
    pub fn inherited(&self, given: &[String]) -> Vec<String> {
        let mut words = Vec::new();
        for kind in &KINDS {
            let by_file = kind.flag == "env" && sets_flag(given, "env-file");
            if by_file || sets_flag(given, kind.flag) {
                continue;
            }
            let values = match kind.how {
                Many(read, _) => read(self.at(kind.place)),
                One(read, _) => read(self.at(kind.place)).into_iter().collect(),
            };
            words.extend(
                values
                    .iter()
                    .map(|value| format!("--{}={value}", kind.flag)),
            );
        }
        words
    }

    /// The words of the program's command.
    pub fn command(&self) -> Vec<String> {
        plain(self.at(ARGS.place))
    }

    /// The options of `docker service update` that make tasks of `self` like those of `wanted`.
    pub fn changes_to(&self, wanted: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for kind in KINDS.iter().chain([&ARGS]) {
            let (ours, theirs) = (self.at(kind.place), wanted.at(kind.place));
            match kind.how {
                Many(read, key) => many(kind.flag, &read(ours), &read(theirs), key, &mut changes),
                One(read, nothing) => {
                    let (ours, theirs) = (read(ours), read(theirs));
                    if ours != theirs {
                        let value = theirs.unwrap_or_else(|| nothing.to_owned());
                        changes.push(format!("--{}={value}", kind.flag));
                    }
                }
            }
        }
        changes
    }

    /// The first part in which tasks of `wanted` have something that no option here can give to `self`.
    pub fn cannot_become(&self, wanted: &Self) -> Option<String> {
        let (ours, theirs) = (self.rest(), wanted.rest());
        let extra = theirs
            .iter()
            .find(|(name, value)| ours.get(*name) != Some(value));
        extra.map(|(name, _)| name.clone())
    }

    /// What the options do not say, by the path to it.
    fn rest(&self) -> Map<String, Value> {
        let mut left = self.template.clone();
        let apart = |kind: &&Kind| matches!(kind.flag, "mount" | "network");
        let whole = KINDS.iter().chain([&ARGS]).filter(|kind| !apart(kind));
        for kind in whole.filter(|kind| kind.says(self.at(kind.place))) {
            remove(&mut left, kind.place);
        }
        for place in OWN {
            remove(&mut left, place);
        }
        forget(
            &mut left,
            "/ContainerSpec/Mounts",
            &["Type", "Source", "Target", "ReadOnly"],
        );
        forget(&mut left, "/Networks", &["Target"]);
        let mut flat = Map::new();
        flatten("", &left, &mut flat);
        flat
    }
}

fn many(
    flag: &str,
    ours: &[String],
    theirs: &[String],
    key: fn(&str) -> &str,
    changes: &mut Vec<String>,
) {
    let gone = ours.iter().filter(|value| !theirs.contains(value));
    // A variable is replaced by its name; of all else the old one goes first.
    let stays = |value: &&String| {
        matches!(flag, "env" | "container-label")
            && theirs.iter().any(|other| key(other) == key(value))
    };
    let gone = gone.filter(|value| !stays(value));
    changes.extend(gone.map(|value| format!("--{flag}-rm={}", key(value))));
    let new = theirs.iter().filter(|value| !ours.contains(value));
    changes.extend(new.map(|value| format!("--{flag}-add={value}")));
}

fn remove(value: &mut Value, place: &str) {
    if let Some((parent, name)) = place.rsplit_once('/')
        && let Some(Value::Object(parent)) = value.pointer_mut(parent)
    {
        parent.remove(name);
    }
}

fn forget(value: &mut Value, place: &str, names: &[&str]) {
    let items = value.pointer_mut(place).and_then(Value::as_array_mut);
    for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
        names.iter().for_each(|name| drop(item.remove(*name)));
    }
}

/// All that is not empty, zero or false: an engine leaves such things out or writes them, as it likes.
fn flatten(path: &str, value: &Value, into: &mut Map<String, Value>) {
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Number(number) if number.as_f64() == Some(0.0) => {}
        Value::String(text) if text.is_empty() => {}
        Value::Object(parts) => {
            for (name, part) in parts {
                flatten(&format!("{path}/{name}"), part, into);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                flatten(&format!("{path}/{i}"), item, into);
            }
        }
        other => {
            into.insert(path.to_owned(), other.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::words;

    fn live() -> Value {
        json!({
            "ContainerSpec": {
                "Image": "web@sha256:1",
                "Env": ["A=1", "B=2"],
                "Secrets": [{"SecretName": "key", "File": {"Name": "key", "UID": "0", "GID": "0", "Mode": 292}}],
                "Init": false,
            },
            "Resources": {"Limits": {"NanoCPUs": 1_500_000_000, "MemoryBytes": 1024}},
            "Networks": [{"Target": "n1", "Aliases": ["web"]}],
            "RestartPolicy": {"Condition": "any"},
        })
    }

    #[test]
    fn a_candidate_inherits_all_but_what_is_given_and_never_an_alias() {
        let live = live();
        let inherited =
            ServiceOptions::of(&live).inherited(&words("--env-file=x --limit-memory 2M"));
        let expected = [
            "--secret=source=key,target=key,uid=0,gid=0,mode=0444",
            "--network=n1",
            "--limit-cpu=1.500000000",
        ];
        assert_eq!(inherited, expected);
    }

    #[test]
    fn an_update_changes_what_differs_and_nothing_else() {
        let (live, mut wanted) = (live(), live());
        let changes =
            |wanted: &Value| ServiceOptions::of(&live).changes_to(&ServiceOptions::of(wanted));
        assert!(changes(&wanted).is_empty());
        wanted["ContainerSpec"] = json!({"Env": ["A=3"], "Args": ["-x", "a \"b\""]});
        wanted["Resources"] = json!({});
        let expected = [
            "--env-rm=B",
            "--env-add=A=3",
            "--secret-rm=key",
            "--limit-cpu=0",
            "--limit-memory=0",
            r#"--args="-x" "a \"b\"""#,
        ];
        assert_eq!(changes(&wanted), expected);
    }

    #[test]
    fn what_no_option_can_change_is_named_and_what_the_engine_fills_in_is_not() {
        let (live, mut wanted) = (live(), live());
        let cannot =
            |wanted: &Value| ServiceOptions::of(&live).cannot_become(&ServiceOptions::of(wanted));
        wanted["RestartPolicy"]["Condition"] = json!("none");
        wanted["ContainerSpec"]["Isolation"] = json!("default");
        wanted["Networks"] = json!([{"Target": "n1"}]);
        assert_eq!(cannot(&wanted), None);
        wanted["ContainerSpec"]["Healthcheck"] = json!({"Test": ["NONE"]});
        let named = cannot(&wanted);
        assert_eq!(named.as_deref(), Some("/ContainerSpec/Healthcheck/Test/0"));
        wanted["ContainerSpec"]["Healthcheck"] = json!({"Test": ["CMD-SHELL", "true"]});
        assert_eq!(cannot(&wanted), None);
        wanted["ContainerSpec"]["ReadOnly"] = json!(true);
        assert_eq!(cannot(&wanted).as_deref(), Some("/ContainerSpec/ReadOnly"));
    }
}
