//! The systemd unit that runs a container by a client of the engine which stays with it.
//!
//! The usual unit says `ExecStart=docker run --rm --name web …` or `docker start --attach web`. The engine knows nothing of
//! it: a container has no label of such a unit. But its client runs as long as the container does, in the unit's cgroup.
//! When the container stops, the client ends, and systemd does what the unit says: it starts the old release again, or
//! stops whatever has the name now. A script of the unit may stand between both. A client further down is a login's, a
//! timer's or a job's, which nobody starts again: such a process has other ancestors than systemd.

use std::fs;
use std::path::{Path, PathBuf};

const CLIENTS: [&str; 2] = ["docker", "podman"];
/// Commands of a client that stay until the container ends, and name it by an operand.
const STAYS: [&str; 3] = ["start", "attach", "wait"];
/// The client itself, and the unit's own script.
const MOST_STEPS: usize = 2;

/// The unit of a client that stays with the container `name`, which has this full id.
pub fn that_runs(name: &str, id: &str) -> Option<String> {
    let all = fs::read_dir("/proc").ok()?;
    let processes = all.filter_map(|entry| Some(entry.ok()?.path()));
    processes
        .filter(|process| stays_with(&words(process), name, id))
        .find_map(|process| unit_of(&process))
}

fn words(process: &Path) -> Vec<String> {
    let text = fs::read(process.join("cmdline")).unwrap_or_default();
    let words = text.split(|byte| *byte == 0);
    let words = words.map(|word| String::from_utf8_lossy(word).into_owned());
    words.filter(|word| !word.is_empty()).collect()
}

fn stays_with(words: &[String], name: &str, id: &str) -> bool {
    let Some((program, rest)) = words.split_first() else {
        return false;
    };
    let program = Path::new(program).file_name().and_then(|it| it.to_str());
    if !program.is_some_and(|it| CLIENTS.contains(&it)) {
        return false;
    }
    let is_it = |word: &str| word == name || word.len() >= 12 && id.starts_with(word);
    let named = format!("--name={name}");
    let is_named = |two: &[String]| two[0] == "--name" && two[1] == name;
    let says = |command: &str| rest.iter().any(|word| word == command);
    let runs = says("run") && (rest.contains(&named) || rest.windows(2).any(is_named));
    runs || STAYS.into_iter().any(says) && rest.iter().any(|word| is_it(word))
}

/// The unit that systemd itself has started it in.
fn unit_of(process: &Path) -> Option<String> {
    let mut at = process.to_owned();
    for _ in 0..MOST_STEPS {
        at = parent(&at)?;
        if fs::read_to_string(at.join("comm")).ok()?.trim() == "systemd" {
            return service(&fs::read_to_string(process.join("cgroup")).ok()?);
        }
    }
    None
}

fn parent(process: &Path) -> Option<PathBuf> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let id = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Some(Path::new("/proc").join(id.trim()))
}

/// Of the lines of a process's `cgroup`, the unit's name where it is a service (`systemd.unit(5)`).
fn service(groups: &str) -> Option<String> {
    let paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let mut units = paths.filter_map(|path| path.rsplit('/').next());
    units
        .find(|unit| unit.ends_with(".service") && !unit.starts_with("user@"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_stays_with_the_container_is_told_from_others() {
        let id = "0123456789abcdef";
        for (line, stays) in [
            ("/usr/bin/docker run --rm --name web acme/web", true),
            ("docker --host unix:///x run --name=web acme/web", true),
            ("podman start --attach web", true),
            ("docker start -a 0123456789ab", true),
            ("docker container wait web", true),
            ("docker run --rm --name web-next acme/web", false),
            ("docker run --rm acme/web web", false),
            ("docker logs --follow web", false),
            ("docker start -a 0123", false),
            ("sh -c docker run --name web", false),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(stays_with(&words, "web", id), stays, "{line}");
        }
    }

    #[test]
    fn a_service_is_found_in_both_versions_of_cgroups_and_a_login_is_none() {
        let of = service;
        assert_eq!(
            of("0::/system.slice/web.service\n"),
            Some("web.service".to_owned())
        );
        let first = "4:memory:/\n1:name=systemd:/system.slice/web.service\n";
        assert_eq!(of(first), Some("web.service".to_owned()));
        assert_eq!(of("0::/user.slice/user-0.slice/session-1.scope\n"), None);
        assert_eq!(of("0::/user.slice/user-0.slice/user@0.service\n"), None);
    }
}
