//! `cargo xtask test`: builds here, where there is a network, and runs the tests where there is an engine.

use std::ffi::OsString;
use std::process::ExitCode;

use tests::stage::{self, Need};
use tests::{actionlint, cargo, unpacked};
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
        let test = test.map(OsString::from);
        let argv: Vec<OsString> = test
            .into_iter()
            .chain([manifest.into()])
            .chain(self.args)
            .collect();
        let ended = stage::run_on(engine.as_ref(), &argv, self.install)?;
        Ok(ExitCode::from(code(ended)))
    }
}
