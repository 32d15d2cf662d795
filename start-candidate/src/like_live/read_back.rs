//! The run options of a container that the steps have not made, from what the engine shows of it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use step::engine::container::Container;
use step::ownership::keeper::COMPOSE;
use step::ownership::marks::PREFIX;

use super::kinds::Kind;
use super::table::{PODMANS, Row, TABLE};

/// As much of an id as is a container's hostname where nobody gave one.
const SHORT_ID: usize = 12;

/// A container that is made by these is as the one that was shown.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReadBack {
    pub(super) options: Vec<String>,
    pub(super) command: Vec<String>,
    /// What no option gives, by names.
    pub(super) unreadable: Vec<String>,
}

/// Who is asked about, beside what the engine shows.
struct Shown<'a> {
    container: &'a Value,
    image: &'a Value,
    live: &'a Container,
}

impl ReadBack {
    /// Of a container, less what its image brings.
    pub(super) fn of(container: &Value, image: &Value, live: &Container) -> Self {
        let shown = Shown {
            container,
            image,
            live,
        };
        let mut found = Self::default();
        for row in &TABLE {
            found.read(&shown, row);
        }
        // Podman does not show which address was asked for.
        if live.is_podman() && (shown.was_given("--ip") || shown.was_given("--ip6")) {
            found.unreadable.push("--ip".to_owned());
        }
        found.read_health(&shown);
        found.read_program(&shown);
        let paths = ["MaskedPaths", "ReadonlyPaths"].map(|key| &container["HostConfig"][key]);
        if paths
            .iter()
            .all(|it| it.as_array().is_some_and(Vec::is_empty))
        {
            found.option("security-opt", "systempaths=unconfined");
        }
        found
    }

    /// Those of these options that the engine shows of `live` by now.
    pub(super) fn now(live: &Container, flags: &[&str]) -> Vec<String> {
        let container = json!({"HostConfig": live.host_config.others});
        let shown = Shown {
            container: &container,
            image: &Value::Null,
            live,
        };
        let mut found = Self::default();
        let rows = TABLE.iter().filter(|(.., flag, _)| flags.contains(flag));
        rows.for_each(|row| found.read(&shown, row));
        found.options
    }

    fn read(&mut self, shown: &Shown<'_>, &(path, kind, flag, usual): &Row) {
        let of_image = shown
            .image
            .pointer(path)
            .map(|it| kind.values(it))
            .unwrap_or_default();
        let values = shown.container.pointer(path).map(|it| kind.values(it));
        for value in values.unwrap_or_default() {
            match value {
                value if of_image.contains(&value) => {}
                Some(value)
                    if usual.contains(&value.as_str()) || shown.has_by_itself(flag, &value) => {}
                Some(value) if can_be_given(flag, &value) => match kind {
                    Kind::Switch => self.options.push(format!("--{flag}")),
                    _ => self.option(flag, &value),
                },
                Some(_) | None => self.unreadable.push(format!("--{flag}")),
            }
        }
    }

    fn option(&mut self, flag: &str, value: &str) {
        self.options.push(format!("--{flag}={value}"));
    }

    /// Only a command for a shell can be given by an option.
    fn read_health(&mut self, shown: &Shown<'_>) {
        let test = "/Config/Healthcheck/Test";
        let of = |it: &Value| words(it.pointer(test).unwrap_or(&Value::Null));
        let own = of(shown.container);
        match own.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            _ if own == of(shown.image) => {}
            ["NONE", ..] => self.options.push("--no-healthcheck".to_owned()),
            ["CMD-SHELL", command] => self.option("health-cmd", command),
            [] => {}
            _ => self.unreadable.push("--health-cmd".to_owned()),
        }
    }

    /// An entrypoint takes the image's command away. Of several words the first is the program, and the others are the
    /// first of its arguments.
    fn read_program(&mut self, shown: &Shown<'_>) {
        let of = |it: &Value, key: &str| words(&it["Config"][key]);
        let (program, arguments) = (
            of(shown.container, "Entrypoint"),
            of(shown.container, "Cmd"),
        );
        let (image, usual) = (of(shown.image, "Entrypoint"), of(shown.image, "Cmd"));
        let none_left = arguments.is_empty() && !usual.is_empty();
        if program == image && !none_left {
            if arguments != usual {
                self.command = arguments;
            }
            return;
        }
        let mut words = program.into_iter();
        self.option("entrypoint", &words.next().unwrap_or_default());
        self.command = words.chain(arguments).collect();
    }
}

/// Older podman writes a program with its arguments as one text.
fn words(list: &Value) -> Vec<String> {
    match list {
        Value::String(text) => text.split(' ').map(str::to_owned).collect(),
        list => {
            let all = list.as_array().into_iter().flatten();
            all.filter_map(|it| it.as_str().map(str::to_owned))
                .collect()
        }
    }
}

/// The CLI takes a seccomp profile by its file only; and a variable without a value would be the caller's.
fn can_be_given(flag: &str, value: &str) -> bool {
    match flag {
        "env" | "log-opt" => value.contains('='),
        "network" => value != "host",
        "security-opt" => !value.contains('{'),
        _ => true,
    }
}

impl Shown<'_> {
    /// Whether a container has it that was given no such option.
    fn has_by_itself(&self, flag: &str, value: &str) -> bool {
        let host = &self.container["HostConfig"];
        let podmans = PODMANS.iter().find(|(it, _)| *it == flag);
        let is_podmans = podmans.is_some_and(|(_, usual)| usual.contains(&value));
        (self.live.is_podman() && (is_podmans || self.is_podmans(flag, value)))
            || match flag {
                "cgroupns" => value == usual_cgroupns(),
                "expose" => is_key(&host["PortBindings"], value),
                "hostname" => {
                    self.live.id.starts_with(value) && value.len() >= SHORT_ID
                        || is_this_host(value)
                }
                "label" => value.starts_with(PREFIX) || value.starts_with(COMPOSE),
                "memory-swap" => {
                    host["Memory"]
                        .as_i64()
                        .map(|it| (it * 2).to_string())
                        .as_deref()
                        == Some(value)
                }
                "security-opt" => host["Privileged"] == true && value == "label=disable",
                "volume" => {
                    value.starts_with('/')
                        && !value.contains(':')
                        && !self.has_volume_of_its_own(value)
                }
                _ => false,
            }
    }

    /// Whether podman adds it when the container starts.
    fn is_podmans(&self, flag: &str, value: &str) -> bool {
        const OWN: [&str; 5] = [
            "io.container.",
            "io.kubernetes.",
            "io.podman.",
            "org.opencontainers.",
            "org.systemd.",
        ];
        match flag {
            "annotation" => OWN.iter().any(|it| value.starts_with(it)),
            "env" => value
                .strip_prefix("HOSTNAME=")
                .is_some_and(|it| self.container["Config"]["Hostname"] == it),
            "ulimit" => !self.was_given("--ulimit"),
            _ => false,
        }
    }

    /// Whether podman's command line had it, which podman keeps.
    fn was_given(&self, flag: &str) -> bool {
        let glued = format!("{flag}=");
        words(&self.container["Config"]["CreateCommand"])
            .iter()
            .any(|word| word == flag || word.starts_with(&glued))
    }

    /// Not so one that is the place of a volume with a name.
    fn has_volume_of_its_own(&self, place: &str) -> bool {
        self.live
            .mounts
            .iter()
            .any(|it| it.destination == place && it.is_anonymous())
    }
}

fn is_key(object: &Value, key: &str) -> bool {
    object.get(key).is_some()
}

/// A container on the host's network, or in its world of names, has its name.
fn is_this_host(value: &str) -> bool {
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    name.is_ok_and(|name| name.trim_end() == value)
}

/// An engine chooses by the kernel's version of cgroups.
fn usual_cgroupns() -> &'static str {
    match Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        true => "private",
        false => "host",
    }
}
