//! What an option leaves on a container that `docker run` made, every release has of it as the page says.
//!
//! The trace of an option is where a container with it differs from one without. Options that bear each other are given
//! together, so that few promotions show all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::Value;
use stage::docker::{docker, inspect};
use stage::ground::{Cgroup, on_podman};

use super::page::{Said, page};
use super::table::{Expected, Ground, Row, rows};
use super::{candidate, promoted};
use crate::support::{App, ok};

/// Fewer would say that the test tries the wrong thing.
const LEAST_TRACED: usize = 45;
/// Those that are tried together, as they contradict others.
const APART: [&str; 8] = [
    "cpus",
    "no-healthcheck",
    "oom-kill-disable",
    "pid",
    "userns",
    "uts",
    "volume-driver",
    "storage-opt",
];
/// Those that some kernels do not have.
const LIMITS: [&str; 15] = [
    "blkio-weight",
    "blkio-weight-device",
    "cpu-period",
    "cpu-quota",
    "cpu-shares",
    "cpuset-cpus",
    "cpuset-mems",
    "device-read-bps",
    "device-read-iops",
    "device-write-bps",
    "device-write-iops",
    "memory-reservation",
    "memory-swappiness",
    "oom-kill-disable",
    "pids-limit",
];
/// What each container has of its own, or what the steps give it.
const OF_ITS_OWN: [&str; 8] = [
    "Config/CreateCommand",
    "Config/Hostname",
    "Config/Image",
    "Config/AttachStdout",
    "Config/AttachStderr",
    "HostConfig/ContainerIDFile",
    "HostConfig/LogConfig/Path",
    "HostConfig/RestartPolicy/Name",
];

type Shown = BTreeMap<String, Value>;

/// An option that the engine gives, and where it shows.
struct Traced<'a> {
    row: &'a Row,
    trace: BTreeSet<String>,
}

/// All that `docker inspect` shows of how a container was made, each value by its path.
fn shown(name: &str) -> Shown {
    let container = inspect(name).unwrap().unwrap();
    let mut all = Shown::new();
    for part in ["Config", "HostConfig"] {
        flatten(part.to_owned(), &container[part], &mut all);
    }
    let is_own_id = |it: &Value| {
        it.as_str()
            .is_some_and(|it| container["Id"].as_str().unwrap().starts_with(it))
    };
    let hostname = all.remove("Config/Hostname").filter(|it| !is_own_id(it));
    let is_own = |path: &str| OF_ITS_OWN.contains(&path) || path.contains("/io.podman.");
    all.retain(|path, _| !is_own(path));
    all.extend(hostname.map(|it| ("Config/Hostname".to_owned(), it)));
    all
}

fn flatten(path: String, value: &Value, into: &mut Shown) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let fields = fields.iter();
            fields.for_each(|(key, value)| flatten(format!("{path}/{key}"), value, into));
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(nameless).collect();
            items.sort_by_key(Value::to_string);
            into.insert(path, items.into());
        }
        value => drop(into.insert(path, value.clone())),
    }
}

/// Podman shows what it calls a volume that nobody has named.
fn nameless(item: &Value) -> Value {
    let parts = item.as_str().and_then(|it| it.split_once(':'));
    let is_id = |it: &str| it.len() == 64 && it.bytes().all(|byte| byte.is_ascii_hexdigit());
    match parts.filter(|(name, _)| is_id(name)) {
        Some((_, place)) => place.into(),
        None => item.clone(),
    }
}

/// A container of `docker run` alone, if the engine gives it.
fn plain(ground: &Ground, words: &[String]) -> Option<(App, Shown)> {
    let app = App::new("plain");
    run(&app, ground, words).then(|| {
        let shown = shown(app.name());
        (app, shown)
    })
}

fn run(app: &App, ground: &Ground, words: &[String]) -> bool {
    let name = ["run", "-d", "--name", app.name()].map(str::to_owned);
    docker(name.iter().chain(words).chain([&ground.image.name])).is_ok()
}

/// Where the two differ.
fn trace(with: &Shown, without: &Shown) -> BTreeSet<String> {
    let paths = with.keys().chain(without.keys());
    paths
        .filter(|path| with.get(*path) != without.get(*path))
        .cloned()
        .collect()
}

fn traced<'a>(ground: &Ground, rows: &'a [Row]) -> Vec<Traced<'a>> {
    let (_app, without) = plain(ground, &[]).unwrap();
    let wanted = rows.iter().filter(|row| {
        let is_promoted = matches!(row.expected, Expected::Promoted(0));
        is_promoted && (row.goes_with_others || APART.contains(&row.option))
    });
    wanted
        .filter_map(|row| {
            let (_app, with) = plain(ground, &row.words)?;
            let trace = trace(&with, &without);
            Some(Traced { row, trace })
        })
        .collect()
}

/// The words of all; a seccomp profile is not read back from a container.
fn words(group: &[&Traced<'_>], with_seccomp: bool) -> Vec<String> {
    let all = group.iter().flat_map(|it| &it.row.words);
    all.filter(|word| with_seccomp || !word.starts_with("--security-opt=seccomp"))
        .cloned()
        .collect()
}

/// Where the release differs from what `docker run` makes, by the options whose traces those are.
fn lost(group: &[&Traced<'_>], plain: &Shown, release: &Shown) -> Vec<String> {
    let mut lost = Vec::new();
    for one in group {
        let differing = one
            .trace
            .iter()
            .filter(|path| plain.get(*path) != release.get(*path));
        lost.extend(differing.map(|path| {
            let (was, is) = (plain.get(path), release.get(path));
            format!("--{}: {path} was {was:?} and is {is:?}", one.row.option)
        }));
    }
    lost
}

fn given(ground: &Ground, group: &[&Traced<'_>]) -> Vec<String> {
    let words = words(group, true);
    let (_app, plain) = plain(ground, &words).expect("docker run takes them together");
    let app = App::new("given");
    ok(&candidate(&app, ground, &words));
    let of_candidate = shown(&app.scope.candidate());
    promoted(&app, ground, "given", 0);
    let both = [of_candidate, shown(app.name())];
    let page = page();
    let lost = both.iter().enumerate().flat_map(|(nth, it)| {
        let is_same = |one: &&&Traced<'_>| page[one.row.option].on_both[nth] == "the same";
        let same: Vec<_> = group.iter().filter(is_same).copied().collect();
        lost(&same, &plain, it)
    });
    lost.collect()
}

fn like_live(ground: &Ground, group: &[&Traced<'_>]) -> Vec<String> {
    let app = App::new("like");
    assert!(run(&app, ground, &words(group, false)));
    let plain = shown(app.name());
    let mut lost_by_both = Vec::new();
    // The second one replaces what the steps have made.
    for _ in 0..2 {
        let flags = [
            "--like-live",
            "--allow-shared-volumes",
            "--image",
            &ground.image.name,
        ];
        let report = ok(&app.step("start-candidate", &flags));
        assert!(report.get("not_carried").is_none(), "{report}");
        promoted(&app, ground, "like-live", 0);
        lost_by_both.extend(lost(group, &plain, &shown(app.name())));
    }
    lost_by_both
}

#[test]
fn every_option_that_the_page_says_is_carried_leaves_on_the_release_what_docker_run_leaves() {
    let ground = Ground::new("carried");
    let (rows, page) = (rows(&ground), page());
    let all = traced(&ground, &rows);
    let said = |it: &&Traced<'_>, is: fn(&Said) -> bool| is(&page[it.row.option]);
    let is_carried = |said: &Said| said.given.starts_with("carried");
    let is_of_live = |said: &Said| said.of_live.starts_with('`') || said.of_live == "by default";
    let without: Vec<_> = all
        .iter()
        .filter(|it| it.trace.is_empty())
        .map(|it| it.row.option)
        .collect();
    let traced = all.len() - without.len();
    let _ = writeln!(
        io::stderr(),
        "{traced} options traced; without a trace: {without:?}"
    );
    assert!(on_podman() || traced >= LEAST_TRACED, "{traced}");
    // An image of the machine's own platform is what it is without a word.
    let is_without_effect =
        |it: &str| it == "platform" || page[it].on_both == ["no effect", "no effect"];
    let odd: Vec<_> = all.iter().map(|it| it.row.option).collect();
    let odd: Vec<_> = odd
        .into_iter()
        .filter(|it| is_without_effect(it) && !without.contains(it))
        .collect();
    assert!(odd.is_empty(), "with an effect: {odd:?}");
    // Where the kernel limits nothing, docker drops what would: `--cgroup v1` shows that. Few kernels have weights of disks.
    let has_limits = Cgroup::limits_memory();
    let may_lack =
        |it: &str| LIMITS.contains(&it) && (!has_limits || it.starts_with("blkio-weight"));
    // Version 1 has the host's world of cgroups by default.
    let is_usual = |it: &str| it == "cgroupns" && Cgroup::here() == Cgroup::V1;
    let is_silent = |it: &str| is_without_effect(it) || may_lack(it) || is_usual(it);
    let untraced: Vec<_> = without.iter().filter(|it| !is_silent(it)).collect();
    assert!(on_podman() || untraced.is_empty(), "{untraced:?}");

    // Podman shows only the size, so `--like-live` names the option.
    let is_unread = |it: &Traced<'_>| on_podman() && it.row.option == "log-opt";
    let (together, apart): (Vec<&Traced<'_>>, _) =
        all.iter().partition(|it| it.row.goes_with_others);
    for group in [together, apart] {
        let of = |is: fn(&Said) -> bool| {
            group
                .iter()
                .copied()
                .filter(|it| said(it, is))
                .collect::<Vec<_>>()
        };
        let mut of_live = of(is_of_live);
        of_live.retain(|it| !is_unread(it));
        let lost = [
            given(&ground, &of(is_carried)),
            like_live(&ground, &of_live),
        ]
        .concat();
        assert!(lost.is_empty(), "{}", lost.join("\n"));
    }
}
