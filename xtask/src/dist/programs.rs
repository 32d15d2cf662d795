//! The five programs, statically linked: they run on any Linux of the architecture, and in an empty container.

use std::path::{Path, PathBuf};

use tests::cargo::STEPS;
use xshell::{Shell, cmd};

use super::Place;

/// Builds them and returns their folder.
///
/// Each by itself, as only two of them need TLS and cargo would give what one needs to all; with no
/// path of this machine in them, so that others get the same bytes.
pub(crate) fn build(sh: &Shell, place: &Place) -> anyhow::Result<PathBuf> {
    let (target, folder) = (&place.target, place.builds.join("static"));
    let remap = |from: &Path, to: &str| format!(" --remap-path-prefix={}={to}", from.display());
    let home = sh.var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(sh.var_os("HOME")?).join(".cargo")));
    let sysroot = PathBuf::from(cmd!(sh, "rustc --print sysroot").quiet().read()?);
    let flags = [
        "-C target-feature=+crt-static".to_owned(),
        home.map(|home| remap(&home, "/cargo")).unwrap_or_default(),
        remap(&sysroot, "/rust"),
        remap(&place.root, "/deploy-steps"),
    ];
    let _flags = sh.push_env("RUSTFLAGS", flags.concat());
    let offline = tests::stage::inside().then_some("--offline");
    for step in STEPS {
        cmd!(
            sh,
            "cargo build --locked {offline...} --release --target {target} --target-dir {folder} --package {step}"
        )
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .run()?;
    }
    Ok(folder.join(target).join("release"))
}
