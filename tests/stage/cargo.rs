//! Builds what the tests run: the steps, and the static demo application that goes into images.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, anyhow, ensure};

use crate::ground;

/// The programs of the family, which are also their packages' names.
pub const STEPS: [&str; 5] = [
    "pull-image",
    "start-candidate",
    "probe-health",
    "promote",
    "prune-app",
];

/// The path of the demo application, statically linked; built once per process.
///
/// It has a target folder of its own, as its flags would make every other build start over.
pub fn demo_app() -> anyhow::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || {
        let words = ["--release", "-p", "tests", "--bin", "demo-app"];
        let folder = static_build("demo-app", &words, "CARGO_PROFILE_RELEASE_LTO")?;
        Ok(folder.join("release/demo-app"))
    })
}

/// The folder of the steps that run in containers of the nodes of a swarm, statically linked; built once per process.
///
/// It has a target folder of its own for the same reason.
pub fn static_steps() -> anyhow::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || {
        let words = ["-p", "probe-health", "-p", "prune-app"];
        let folder = static_build("static-steps", &words, "CARGO_PROFILE_DEV_DEBUG")?;
        Ok(folder.join("debug"))
    })
}

/// Builds with no libraries of the machine, in a target folder of that name; what takes the longest is turned `off`.
fn static_build(name: &str, words: &[&str], off: &str) -> anyhow::Result<PathBuf> {
    let host = host_triple()?;
    let target = target_dir()?.join(name);
    let mut build = cargo();
    build
        .arg("build")
        .args(words)
        .args(["--target", &host, "--target-dir"])
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env(off, "false");
    finish(build)?;
    Ok(target.join(host))
}

/// The folder of the step binaries of this workspace, fresh; built once per process.
pub fn steps() -> anyhow::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || {
        let folder = bin_dir()?;
        let mut build = cargo();
        build
            .args(["build", "--workspace", "--bins", "--target-dir"])
            .arg(target_dir()?);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        finish(build)?;
        Ok(folder)
    })
}

/// The folder of the steps as they are released, for what is measured; built once per process.
pub fn released_steps() -> anyhow::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || {
        let target = target_dir()?;
        let mut build = cargo();
        build
            .args(["build", "--release", "--target-dir"])
            .arg(&target)
            .args(STEPS.map(|step| ["-p", step]).concat());
        finish(build)?;
        Ok(target.join("release"))
    })
}

/// The folder of the same with the feature that writes man pages and completions; built once per process.
///
/// It has a target folder of its own, so that nobody finds these where the others are looked for.
pub fn steps_with_pages() -> anyhow::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || {
        let target = target_dir()?.join("pages");
        let mut build = cargo();
        build
            .args(["build", "--features", "step/pages", "--target-dir"])
            .arg(&target)
            .args(STEPS.map(|step| ["-p", step]).concat())
            .env("CARGO_PROFILE_DEV_DEBUG", "false");
        finish(build)?;
        Ok(target.join("debug"))
    })
}

/// The root folder of this workspace.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn once(
    cell: &'static OnceLock<Result<PathBuf, String>>,
    build: impl FnOnce() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<&'static Path> {
    cell.get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .as_deref()
        .map_err(|error| anyhow!("{error}"))
}

/// The variables by which cargo tells a program that it runs which package that is of.
///
/// A cargo that is started below must not have them: build scripts ask for some (ring's does), so it would build anew what
/// another cargo has built without them, and put other files in the place of programs that run.
pub fn told_of_its_package() -> impl Iterator<Item = OsString> {
    const PREFIXES: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The command without them.
pub fn untold(command: &mut Command) -> &mut Command {
    for name in told_of_its_package() {
        command.env_remove(name);
    }
    command
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    untold(&mut cargo)
        .current_dir(workspace())
        .stdin(Stdio::null());
    if ground::inside() {
        cargo.arg("--offline");
    }
    cargo
}

fn finish(mut build: Command) -> anyhow::Result<()> {
    let out = build.output().context("cargo could not be started")?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "cargo build failed: {said}");
    Ok(())
}

/// The target that cargo builds for here.
pub fn host_triple() -> anyhow::Result<String> {
    let out = cargo().arg("-vV").output()?;
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`cargo -vV` names no host")
}

/// The variable that tells a program inside a stage where the binaries lie.
pub(crate) const BIN_DIR: &str = "DEPLOY_STEPS_BIN_DIR";

// Test programs lie in a folder `deps` beside the binaries, xtask among the binaries.
pub(crate) fn bin_dir() -> anyhow::Result<PathBuf> {
    let exe = env::current_exe()?;
    let folder = exe.parent().context("this program lies in no folder")?;
    let beside = folder.parent().filter(|_| folder.ends_with("deps"));
    // A stage runs a copy of the program that began it, which lies beside nothing.
    let copied = env::var_os(BIN_DIR)
        .filter(|_| env::var_os(ground::STAGE).as_deref() == Some(folder.as_os_str()));
    Ok(copied.map_or_else(|| beside.unwrap_or(folder).to_owned(), PathBuf::from))
}

/// The target folder, wherever CARGO_TARGET_DIR has put it; found by the tag that cargo leaves in each.
pub fn target_dir() -> anyhow::Result<PathBuf> {
    let bins = bin_dir()?;
    let found = bins
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(found.map_or_else(|| workspace().join("target"), Path::to_owned))
}
