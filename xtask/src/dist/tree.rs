//! The files of a distribution, laid out as below /usr or /usr/local.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use stage::cargo::{self, STEPS};
use xshell::{Shell, cmd};

const DOC: &str = "share/doc/deploy-steps";
/// From the workspace, to the tree.
const SCRIPTS: [(&str, &str); 4] = [
    ("xtask/vm/deploy.sh", "bin/deploy.sh"),
    ("xtask/vm/doctor.sh", "bin/doctor.sh"),
    ("xtask/vm/deploy-over-ssh", "sbin/deploy-over-ssh"),
    ("xtask/dist/deploy-steps-rights", "sbin/deploy-steps-rights"),
];
/// What systemd is told, from the workspace to the tree.
const UNITS: [(&str, &str); 3] = [
    (
        "xtask/dist/tmpfiles.conf",
        "lib/tmpfiles.d/deploy-steps.conf",
    ),
    (
        "xtask/dist/prune@.service",
        "lib/systemd/system/deploy-steps-prune@.service",
    ),
    (
        "xtask/dist/prune@.timer",
        "lib/systemd/system/deploy-steps-prune@.timer",
    ),
];
/// From the workspace, to the tree's folder of documents, beside the pages in `docs`.
const TEXTS: [(&str, &str); 7] = [
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("xtask/vm/README.md", "vm.md"),
    ("xtask/vm/web.conf", "examples/web.conf"),
    ("xtask/vm/web.env", "examples/web.env"),
];

/// Copies the programs of that folder and all that belongs to them; the pages they write themselves.
pub(crate) fn lay_out(sh: &Shell, root: &Path, tree: &Path, programs: &Path) -> anyhow::Result<()> {
    let doc = tree.join(DOC);
    for step in STEPS {
        copy(&programs.join(step), &tree.join("bin").join(step))?;
        let schema = tree.join(format!("share/deploy-steps/schemas/{step}.json"));
        copy(&root.join(step).join("schema.json"), &schema)?;
    }
    let whole = tree.join("share/deploy-steps/schemas/deploy.json");
    copy(&root.join("xtask/vm/schema.json"), &whole)?;
    for (from, to) in SCRIPTS.into_iter().chain(UNITS) {
        copy(&root.join(from), &tree.join(to))?;
    }
    for (from, to) in TEXTS {
        copy(&root.join(from), &doc.join(to))?;
    }
    for page in fs::read_dir(root.join("docs"))? {
        let page = page?;
        copy(&page.path(), &doc.join("docs").join(page.file_name()))?;
    }
    let (share, writers) = (tree.join("share"), cargo::steps_with_pages()?);
    for step in STEPS {
        let writer = writers.join(step);
        cmd!(sh, "{writer} __manual {share}").quiet().run()?;
    }
    Ok(())
}

/// Copies a file; it may be run by all if the original may, and is written by its owner alone.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let run = || -> std::io::Result<()> {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to)?;
        let program = fs::metadata(from)?.permissions().mode() & 0o100 != 0;
        fs::set_permissions(
            to,
            PermissionsExt::from_mode(if program { 0o755 } else { 0o644 }),
        )
    };
    run().with_context(|| format!("{} could not be copied to {}", from.display(), to.display()))
}
