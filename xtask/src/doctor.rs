//! `cargo xtask doctor`: the same look at this machine as the script for the VM takes.

use std::env;
use std::process::ExitCode;

use stage::cargo;
use xshell::{Shell, cmd};

use crate::{exit, flags};

impl flags::Doctor {
    pub(crate) fn run(self, sh: &Shell) -> anyhow::Result<ExitCode> {
        let script = cargo::workspace().join("xtask/vm/doctor.sh");
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = [cargo::steps()?.to_owned()].into_iter();
        let path = env::join_paths(folders.chain(env::split_paths(&path)))?;
        let json = self.json.then_some("--json");
        let docker = self.docker.map(|value| ("--docker", value));
        let image = self.image.map(|value| ("--image", value));
        let ports = self.port.into_iter().map(|value| ("--port", value));
        let words = docker.into_iter().chain(image).chain(ports);
        let words = words.flat_map(|(flag, value)| [flag.to_owned(), value]);
        let mut look: std::process::Command = cmd!(sh, "sh {script} {json...} {words...}").into();
        let status = look.env("PATH", path).status()?;
        Ok(exit::of(stage::process::code_of(status)))
    }
}
