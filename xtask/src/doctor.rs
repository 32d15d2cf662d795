//! `cargo xtask doctor`: the same look at this machine as the script for the VM takes.

use std::env;
use std::process::ExitCode;

use tests::cargo;
use xshell::{Shell, cmd};

use crate::{code, flags};

impl flags::Doctor {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<ExitCode> {
        let script = cargo::workspace().join("xtask/vm/doctor.sh");
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = [cargo::steps()?.to_owned()].into_iter();
        let path = env::join_paths(folders.chain(env::split_paths(&path)))?;
        let json = self.json.then_some("--json");
        let valued = [
            ("--docker", self.docker),
            ("--image", self.image),
            ("--port", self.port),
        ];
        let words = valued
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
            .flatten();
        let mut look: std::process::Command = cmd!(sh, "sh {script} {json...} {words...}").into();
        let status = look.env("PATH", path).status()?;
        Ok(ExitCode::from(code(tests::process::code_of(status))))
    }
}
