//! `cargo xtask test`: builds here, where there is a network, and runs the tests where there is an engine.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use tests::stage::{self, Need};
use tests::{actionlint, cargo, skipped, unpacked};
use xshell::{Shell, cmd};

use crate::{code, flags, show};

/// Pages are looked at in a real browser, deployments come over a real ssh, clocks are set, and what CI runners are
/// given is run and checked.
const BESIDES: [Need; 11] = [
    ("chromium", "chromium"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("sudo", "sudo"),
    ("shellcheck", "shellcheck"),
    ("faketime", "faketime"),
    ("jq", "jq"),
    ("curl", "curl"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("man", "man-db"),
];

/// Only unpacked into the target folder: installed, they would start.
const PROXIES: [&str; 2] = ["nginx", "haproxy"];

impl flags::Test {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<ExitCode> {
        // First, as it is the quickest to fail.
        let engine = self.other.engine()?;
        stage::prepare_with(self.install, &BESIDES, engine.as_ref())?;
        let builds = [
            cmd!(sh, "cargo build --workspace --bins"),
            cmd!(sh, "cargo test --workspace --no-run"),
        ];
        for build in builds {
            let code = show(build)?;
            if code != 0 {
                return Ok(ExitCode::from(code));
            }
        }
        cargo::demo_app()?;
        cargo::static_steps()?;
        cargo::steps_with_pages()?;
        actionlint::provide()?;
        if self.install {
            unpacked::provide(&PROXIES)?;
        }
        // Not `--workspace`, which would overrule a `-p`: from its root cargo takes all of it anyway.
        let manifest = cargo::workspace().join("Cargo.toml");
        let skipped = cargo::target_dir()?.join("skipped-tests");
        let _ = fs::remove_file(&skipped);
        // One failure is no reason to be told of no other.
        // Nor is a backtrace a reason to be told less: what failed is in the assertion.
        let test = [
            "env",
            "RUST_BACKTRACE=0",
            "cargo",
            "test",
            "--no-fail-fast",
            "--offline",
            "--manifest-path",
        ];
        let mut test = test.map(OsString::from).to_vec();
        let mut counted = OsString::from(format!("{}=", skipped::FILE));
        counted.push(&skipped);
        test.insert(1, counted);
        let argv: Vec<OsString> = test
            .into_iter()
            .chain([manifest.into()])
            .chain(self.args)
            .collect();
        let ended = stage::run_on(engine.as_ref(), &argv, self.install)?;
        say_skipped(&skipped)?;
        Ok(ExitCode::from(code(ended)))
    }
}

/// What did not run is said last, where nobody overlooks it.
fn say_skipped(file: &Path) -> anyhow::Result<()> {
    let lines = skipped::all(file)?;
    let mut stderr = io::stderr().lock();
    for line in &lines {
        writeln!(stderr, "{line}")?;
    }
    writeln!(
        stderr,
        "{} tests could not run here, or not to their end",
        lines.len()
    )?;
    Ok(())
}
