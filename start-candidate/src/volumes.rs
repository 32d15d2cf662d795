//! What the live container keeps in volumes: two releases that write to the same data may spoil it, and data in a volume
//! without a name stays behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use step::engine::config::Mount;
use step::engine::container::Container;
use step::terminal::warn;
use step::text::printable;

use crate::args::Shared;
use crate::failure::Failure;

/// Files and folders of the machine that containers are shown, and that are nobody's data.
const THE_MACHINES: [&str; 15] = [
    "/dev",
    "/etc/ca-certificates",
    "/etc/group",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/machine-id",
    "/etc/passwd",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/ssl",
    "/etc/timezone",
    "/proc",
    "/sys",
    "/usr/share/zoneinfo",
];

/// Refuses data that the candidate may write to while the live container has it mounted, unless the caller allows it.
pub(crate) fn not_shared(
    created: &Container,
    live: &Container,
    allowed: Option<&Shared>,
) -> Result<(), Failure> {
    let mut writable = created.mounts.iter().filter(|mount| mount.writable);
    let shared = writable.find(|mount| {
        let is_lives = || live.mounts.iter().any(|other| overlap(mount, other));
        !allowed.is_some_and(|it| it.covers(mount)) && is_lives() && is_data(mount)
    });
    match shared {
        Some(mount) => Err(Failure::SharedVolume {
            destination: printable(&mount.destination, 200),
            live: live.name().to_owned(),
        }),
        None => Ok(()),
    }
}

/// Tells of each place where the next release begins with nothing, as what is there now is in a volume without a name.
pub(crate) fn tell_fresh(created: &Container, live: &Container) -> Vec<String> {
    let is_given = |place: &str| {
        let mut given = created.mounts.iter().filter(|mount| !mount.is_anonymous());
        given.any(|mount| mount.destination == place)
    };
    let fresh = live
        .anonymous_volumes()
        .filter(|mount| !is_given(&mount.destination));
    let by_place: BTreeMap<&str, &Mount> = fresh.map(|it| (&*it.destination, it)).collect();
    let fresh = by_place.into_values().inspect(|mount| {
        let (place, volume) = (printable(&mount.destination, 200), &mount.name[..12]);
        warn(&format!(
            "start-candidate: {} has {place} in a volume without a name, {volume}, which stays behind: the next release begins with an empty one; to keep data give --volume NAME:{place}",
            live.name(),
        ));
    });
    fresh
        .map(|mount| printable(&mount.destination, 200))
        .collect()
}

fn overlap(a: &Mount, b: &Mount) -> bool {
    let (from, to) = (Path::new(&a.source), Path::new(&b.source));
    let volumes = a.kind == "volume" && b.kind == "volume";
    if volumes {
        return a.name == b.name;
    }
    !a.source.is_empty() && !b.source.is_empty() && (from.starts_with(to) || to.starts_with(from))
}

/// A socket or a device holds no data, nor does what every container of the machine may be shown.
fn is_data(mount: &Mount) -> bool {
    let source = Path::new(&mount.source);
    let holds_none = || {
        let kind = fs::metadata(source).map(|it| it.file_type());
        kind.is_ok_and(|it| it.is_socket() || it.is_char_device() || it.is_block_device())
    };
    let is_the_machines = THE_MACHINES.iter().any(|it| source.starts_with(it));
    mount.kind != "bind" || !is_the_machines && !holds_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_devices_and_the_machines_own_files_are_no_data() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let bind = |source: &Path| Mount {
            kind: "bind".to_owned(),
            source: source.to_str().unwrap().to_owned(),
            ..Mount::default()
        };
        assert!(is_data(&bind(folder.path())));
        assert!(is_data(&bind(Path::new("/etc"))));
        assert!(is_data(&bind(Path::new("/srv/gone"))));
        for none in [
            &*socket,
            Path::new("/dev/null"),
            Path::new("/etc/localtime"),
        ] {
            assert!(!is_data(&bind(none)), "{}", none.display());
        }
        let volume = Mount {
            kind: "volume".to_owned(),
            ..bind(&socket)
        };
        assert!(is_data(&volume));
    }
}
