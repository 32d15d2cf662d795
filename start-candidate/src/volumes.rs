//! What the live container keeps in volumes: two releases that write to the same data may spoil it, and data in a volume
//! without a name stays behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use step::contract::failure::CommonFailure;
use step::engine::Engine;
use step::engine::config::Mount;
use step::engine::container::Container;
use step::engine::volume::Volume;
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
    engine: &Engine,
    created: &Container,
    live: &Container,
    allowed: Option<&Shared>,
) -> Result<(), Failure> {
    let is_asked = |mount: &&Mount| mount.writable && !allowed.is_some_and(|it| it.covers(mount));
    let writable = || created.mounts.iter().filter(is_asked);
    let pairs = || writable().flat_map(|mount| live.mounts.iter().map(move |its| (mount, its)));
    let by_place = pairs().find(|(mount, its)| overlap(mount, its) && is_data(mount));
    let shared = match by_place {
        None => by_device(engine, pairs())?,
        found => found,
    };
    match shared {
        Some((mount, _)) => Err(Failure::SharedVolume {
            destination: printable(&mount.destination, 200),
            live: live.name().to_owned(),
        }),
        None => Ok(()),
    }
}

/// Those of which one is a volume that keeps its data where the other one does. The engine is asked only where there may
/// be such a volume.
fn by_device<'a>(
    engine: &Engine,
    pairs: impl Iterator<Item = (&'a Mount, &'a Mount)>,
) -> Result<Option<(&'a Mount, &'a Mount)>, Failure> {
    let is_named = |mount: &Mount| mount.kind == "volume" && !mount.is_anonymous();
    let may_be = |(mount, its): &(&Mount, &Mount)| {
        let kinds = [mount, its].map(|it| is_named(it) || it.kind == "bind" && is_data(it));
        kinds == [true, true] && (is_named(mount) || is_named(its))
    };
    let pairs: Vec<_> = pairs.filter(may_be).collect();
    let both = pairs.iter().flat_map(|(mount, its)| [*mount, *its]);
    let names: BTreeSet<&str> = both.filter(|it| is_named(it)).map(|it| &*it.name).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = names.into_iter().collect();
    let volumes = engine.volumes(&names).map_err(CommonFailure::from)?;
    let volume = |mount: &Mount| {
        volumes
            .iter()
            .find(|it| is_named(mount) && it.name == mount.name)
    };
    let keeps_in = |mount: &Mount| {
        let device = volume(mount).and_then(Volume::device);
        device.unwrap_or(&mount.source).to_owned()
    };
    Ok(pairs.into_iter().find(|(mount, its)| {
        let same = volume(mount).zip(volume(its));
        let places = [keeps_in(mount), keeps_in(its)];
        // Another machine's folder has its machine among the options.
        let are_here = places
            .iter()
            .all(|it| it.starts_with('/') && !it.starts_with("//"));
        same.is_some_and(|(a, b)| a.is_same_as(b)) || are_here && lie_in_one(&places[0], &places[1])
    }))
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
    let volumes = a.kind == "volume" && b.kind == "volume";
    if volumes {
        return a.name == b.name;
    }
    lie_in_one(&a.source, &b.source)
}

/// Whether one of two places of the machine is the other, or lies in it.
fn lie_in_one(a: &str, b: &str) -> bool {
    let (from, to) = (Path::new(a), Path::new(b));
    !a.is_empty() && !b.is_empty() && (is_below(from, to) || is_below(to, from))
}

/// By what is there, as links and mounts lead to one place by several paths; where nothing is seen, by the text alone.
fn is_below(inner: &Path, outer: &Path) -> bool {
    let place = |path: &Path| Some(fs::metadata(path).ok()?).map(|it| (it.dev(), it.ino()));
    let is_seen_below = || {
        let (outer, inner) = (place(outer)?, fs::canonicalize(inner).ok()?);
        Some(inner.ancestors().any(|it| place(it) == Some(outer)))
    };
    inner.starts_with(outer) || is_seen_below().unwrap_or(false)
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
    fn a_folder_is_the_same_by_whatever_path_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::create_dir_all(path("releases/1/data/sub")).unwrap();
        fs::create_dir(path("data2")).unwrap();
        std::os::unix::fs::symlink(path("releases/1"), path("current")).unwrap();
        let data = path("releases/1/data");
        for same in [
            "current/data",
            "current/data/sub",
            "current",
            "current/../1/data",
        ] {
            assert!(lie_in_one(&data, &path(same)), "{same}");
            assert!(lie_in_one(&path(same), &data), "{same}");
        }
        for other in ["data2", "releases/1/data2", "gone"] {
            assert!(!lie_in_one(&data, &path(other)), "{other}");
        }
    }

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
