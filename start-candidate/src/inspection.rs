//! What a created container must not be, seen on the container and not guessed from its options.

use std::net::Ipv4Addr;
use std::path::Path;

use step::engine::container::{Container, Mount};
use step::model::name::{Name, Names};
use step::model::port::Publish;
use step::recipe::{APP_LABEL, CANDIDATE_LABEL, PREVIOUS_LABEL, RECIPE_LABEL};

use crate::failure::Failure;
use crate::plan::Plan;

/// Refuses what the engine's CLI would write, or whom it would remove, before the container could be looked at.
pub(crate) fn does_nothing_else(plan: &Plan) -> Result<(), Failure> {
    const DOES_MORE: [(&str, &str); 2] = [
        ("--cidfile", "--cidfile (it cannot be written twice)"),
        (
            "--replace",
            "--replace (podman would remove a container that runs)",
        ),
    ];
    let options = &plan.recipe.options;
    let given = |flag: &str| options.iter().any(|option| option.starts_with(flag));
    let found = DOES_MORE.iter().find(|(flag, _)| given(flag));
    found.map_or(Ok(()), |(_, why)| Err(refused(why)))
}

fn refused(what: &str) -> Failure {
    Failure::OptionRefused(format!("the run options set {what}"))
}

/// Refuses what would touch the live container or keep promote from making the same container again.
pub(crate) fn allowed(
    created: &Container,
    app: &Name,
    names: &Names,
    plan: &Plan,
) -> Result<(), Failure> {
    let host = &created.host_config;
    let restarts = host.restart_policy.restarts();
    let ours = |it: &Publish| {
        it.address == Some(Ipv4Addr::LOCALHOST.into()) && plan.loopback.contains(&it.container)
    };
    let ports = !host.published().iter().all(ours)
        || host.publish_all_ports
        || host.binding_count() != plan.loopback.len();
    let other_labels = created.label(RECIPE_LABEL) != Some(&plan.recipe.label())
        || created.label(APP_LABEL) != Some(app.as_str())
        || sets_label(plan, PREVIOUS_LABEL)
        || sets_label(plan, CANDIDATE_LABEL);
    let found = [
        (
            created.name() != names.candidate,
            "a name (the candidate has one of its own)",
        ),
        (
            created.image != plan.recipe.image_id.as_str() || swallows_image(created, plan),
            "another image among the options",
        ),
        (other_labels, "the labels of deploy-steps"),
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
    ];
    match found.into_iter().find(|(is, _)| *is) {
        Some((_, what)) => Err(refused(what)),
        None => Ok(()),
    }
}

/// Whether an image among the options has made the real one the first word of its command.
fn swallows_image(created: &Container, plan: &Plan) -> bool {
    let is_image = |word: &String| *word == plan.recipe.image_id.as_str();
    let command = &plan.recipe.command;
    created.config.cmd.iter().any(is_image) && !command.iter().any(is_image)
}

/// The image of a container that promote made may have these labels, so the container does not tell.
fn sets_label(plan: &Plan, label: &str) -> bool {
    let mut options = plan.recipe.options.iter();
    options.any(|option| option.contains(&format!("{label}=")))
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
            destination: step::text::printable(&mount.destination, 200),
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
