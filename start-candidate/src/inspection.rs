//! What a created container must not be, seen on the container and not guessed from its options.

use std::path::Path;

use step::{Container, Mount, Names, RECIPE_LABEL};

use crate::failure::Failure;
use crate::plan::Plan;

/// Refuses what would touch the live container or keep promote from making the same container again.
pub(crate) fn allowed(created: &Container, names: &Names, plan: &Plan) -> Result<(), Failure> {
    let host = &created.host_config;
    let restarts = !matches!(host.restart_policy.name.as_str(), "" | "no");
    let ports = !host.published().is_empty()
        || host.publish_all_ports
        || host.binding_count() != plan.loopback.len();
    let writes_id = plan
        .recipe
        .options
        .iter()
        .any(|option| option.starts_with("--cidfile"));
    let refused = [
        (
            created.name() != names.candidate,
            "a name (the candidate has one of its own)",
        ),
        (
            created.image != plan.recipe.image_id.as_str(),
            "another image among the options",
        ),
        (
            created.label(RECIPE_LABEL) != Some(&plan.recipe.label()),
            "the labels of deploy-steps",
        ),
        (
            host.network_mode == "host",
            "the host's network (two releases cannot share it)",
        ),
        (
            ports,
            "published ports (give them with --publish, before the `--`)",
        ),
        (restarts, "a restart policy (promote sets it)"),
        (
            host.auto_remove,
            "--rm (a failed candidate must leave its log)",
        ),
        (writes_id, "--cidfile (it cannot be written twice)"),
    ];
    match refused.into_iter().find(|(is, _)| *is) {
        Some((_, what)) => Err(Failure::OptionRefused(format!(
            "the run options set {what}"
        ))),
        None => Ok(()),
    }
}

/// Refuses a volume that the candidate may write to while the live container has it mounted.
pub(crate) fn no_shared_volume(created: &Container, live: &Container) -> Result<(), Failure> {
    let shared = created
        .mounts
        .iter()
        .filter(|mount| mount.writable)
        .find(|mount| live.mounts.iter().any(|other| overlap(mount, other)));
    match shared {
        Some(mount) => Err(Failure::SharedVolume {
            destination: step::printable(&mount.destination, 200),
            live: live.name().to_owned(),
        }),
        None => Ok(()),
    }
}

fn overlap(a: &Mount, b: &Mount) -> bool {
    let (from, to) = (Path::new(&a.source), Path::new(&b.source));
    let volumes = a.kind == "volume" && b.kind == "volume";
    if volumes {
        return a.name == b.name;
    }
    !a.source.is_empty() && !b.source.is_empty() && (from.starts_with(to) || to.starts_with(from))
}
