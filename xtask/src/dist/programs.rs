//! The five programs, statically linked: they run on any Linux of the architecture, and in an empty container.

use std::env;
use std::path::{Path, PathBuf};

use stage::cargo::{STEPS, host_triple};
use stage::ground;
use xshell::{Shell, cmd};

use super::place::Place;

/// What is built for unless it is named: this machine with musl for its C library, which makes each program smaller by
/// 0.9 MB and needs nothing of the machine it runs on; with the machine's own where the toolchain has no musl. With
/// `install` rustup adds it.
pub(crate) fn target(sh: &Shell, install: bool) -> anyhow::Result<String> {
    let host = host_triple()?;
    let musl = host.replace("-gnu", "-musl");
    if install && ground::find("rustup").is_some() {
        // Where it cannot be had, the machine's own does.
        let _ = cmd!(sh, "rustup target add {musl}").quiet().run();
    }
    let library = cmd!(sh, "rustc --print target-libdir --target {musl}").quiet();
    let there = library
        .read()
        .is_ok_and(|folder| Path::new(&folder).is_dir());
    Ok(if there { musl } else { host })
}

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
    let is_musl = target.contains("-musl");
    let flags = [
        "-C target-feature=+crt-static".to_owned(),
        if is_musl {
            smaller(&place.root)
        } else {
            String::new()
        },
        home.map(|home| remap(&home, "/cargo")).unwrap_or_default(),
        remap(&sysroot, "/rust"),
        remap(&place.root, "/deploy-steps"),
    ];
    let _flags = sh.push_env("RUSTFLAGS", flags.concat());
    // What there is of C asks nothing of a C library, so the usual compiler does for musl, too.
    let key = format!("CC_{}", target.replace('-', "_"));
    let wants_cc = is_musl && env::var_os(&key).is_none();
    let _compiler = wants_cc.then(|| sh.push_env(&key, "cc"));
    let offline = ground::inside().then_some("--offline");
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

/// What the linker does for size: relative relocations in a short form, which musl reads since 1.2.4, and no tables for
/// unwinding.
fn smaller(root: &Path) -> String {
    let script = root.join("xtask/src/dist/smaller.ld");
    format!(
        " -C link-arg=-Wl,-z,pack-relative-relocs -C link-arg=-Wl,-T,{}",
        script.display()
    )
}
