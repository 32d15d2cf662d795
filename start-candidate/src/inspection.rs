//! What a created container must not be, seen on the container and not guessed from its options.

use std::fs;
use std::path::Path;

use step::engine::container::Container;
use step::model::name::Names;
use step::model::port::Publish;
use step::model::run_options::flags;
use step::ownership::marks::{Marks, PREFIX};
use step::recipe::Recipe;

use crate::addresses;
use crate::failure::{Failure, WayOut};
use crate::plan::Plan;

/// Those behind the `--`, in a refusal.
const OPTIONS: &str = "the run options";
const LABELS_OF_OURS: &str = "the labels of deploy-steps";

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
    let found = DOES_MORE.map(|(flag, what)| (given(flag), what, WayOut::LeaveOut));
    let in_file = (in_a_label_file(&plan.recipe), LABELS_OF_OURS, WayOut::File);
    Failure::first_refused(found.into_iter().chain([in_file]), OPTIONS)
}

/// Whether a file of labels has ours. The labels themselves go before those of any file, so afterwards nobody sees it.
fn in_a_label_file(recipe: &Recipe) -> bool {
    let flags = flags(&recipe.options).into_iter();
    let files = flags.filter(|flag| flag.name == "label-file");
    let paths = files.map(|flag| Path::new(&recipe.folder).join(flag.value));
    // What can be read once only is the engine's client's to read.
    let mut texts =
        paths.filter_map(|path| path.is_file().then(|| fs::read_to_string(path).ok())?);
    texts.any(|text| {
        let mut lines = text.lines().map(str::trim_start);
        lines.any(|line| line.starts_with(PREFIX))
    })
}

/// Whether it has labels that only the steps give, and they did not; those of its image say nothing.
fn has_more_of_ours(created: &Container, plan: &Plan, marks: &Marks) -> bool {
    let ours = marks.labels();
    let is_ours = |name: &str| {
        let names = ours.iter().filter_map(|label| label.split_once('='));
        names.map(|(name, _)| name).any(|it| it == name)
    };
    let by_image = |name: &str| plan.inherited.label(name) == created.label(name);
    let mut names = created.config.labels.keys();
    names.any(|name| name.starts_with(PREFIX) && !is_ours(name) && !by_image(name))
}

/// Refuses what would touch the live container or keep promote from making the same container again.
pub(crate) fn allowed(
    created: &Container,
    names: &Names,
    plan: &Plan,
    marks: &Marks,
) -> Result<(), Failure> {
    let host = &created.host_config;
    let found = [
        (
            created.name() != names.candidate,
            "a name (the candidate has one of its own)",
            WayOut::LeaveOut,
        ),
        (
            created.image != plan.recipe.image_id.as_str() || swallows_image(created, plan),
            "another image",
            WayOut::Image,
        ),
        (
            !marks.are_among(&created.config.labels) || has_more_of_ours(created, plan, marks),
            LABELS_OF_OURS,
            WayOut::LeaveOut,
        ),
        (
            host.is_on_hosts_network(),
            "the host's network (two releases cannot share it)",
            WayOut::Publish,
        ),
        (publishes(created, plan), "published ports", WayOut::Publish),
        (
            host.restart_policy.restarts(),
            "a restart policy (promote sets it)",
            WayOut::Restart,
        ),
        (
            host.auto_remove,
            "--rm (a failed candidate must leave its log)",
            WayOut::LeaveOut,
        ),
    ];
    Failure::first_refused(found, OPTIONS)?;
    addresses::make_sense(&plan.recipe.options, created.is_podman())
        .map_err(|why| Failure::refused(why, WayOut::Mend))
}

/// Whether it has another port of the host than those on loopback that the candidate is given.
fn publishes(created: &Container, plan: &Plan) -> bool {
    let host = &created.host_config;
    let ours = |it: &Publish| {
        let own = it.address.map(|ip| (ip, it.container, it.protocol));
        own.is_some_and(|own| plan.loopback.contains(&own))
    };
    !host.published().iter().all(ours)
        || host.publish_all_ports
        || host.binding_count() > plan.loopback.len()
}

/// Refuses the network of the live container, which ends with it.
pub(crate) fn no_shared_network(created: &Container, live: &Container) -> Result<(), Failure> {
    let is_lives = created.host_config.network_of().as_ref() == Some(&live.id);
    let what = "the live container's own network, which ends with that container";
    Failure::first_refused([(is_lives, what, WayOut::LeaveOut)], OPTIONS)
}

/// Whether an image among the options has made the real one the first word of its command.
fn swallows_image(created: &Container, plan: &Plan) -> bool {
    let is_image = |word: &String| *word == plan.image;
    let command = &plan.recipe.command;
    created.config.cmd.iter().any(is_image) && !command.iter().any(is_image)
}
