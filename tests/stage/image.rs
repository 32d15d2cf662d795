//! Makes images of the demo application in about a tenth of a second, with neither a Dockerfile nor a base image.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use anyhow::Context;

use crate::cargo;
use crate::docker::{docker, docker_with};
use crate::ground;

/// A recipe for an image of the demo application; each image built from it has a layer of its own.
#[derive(Debug, Clone)]
pub struct Image {
    changes: Vec<String>,
    label: Option<String>,
    padding: usize,
}

/// An image that the engine has.
#[derive(Debug, Clone)]
pub struct Built {
    /// Its full id, `sha256:…`.
    pub id: String,
    /// The name it was built with, `host:port/repository:tag`.
    pub name: String,
}

impl Image {
    /// An image with the label `app=<app>` that listens on port 8080.
    pub fn of(app: &str) -> Image {
        Image {
            changes: vec![
                r#"ENTRYPOINT ["/demo-app"]"#.to_owned(),
                "EXPOSE 8080".to_owned(),
            ],
            label: Some(app.to_owned()),
            padding: 32,
        }
    }

    /// What it answers on `/`.
    pub fn version(self, version: &str) -> Image {
        self.env("VERSION", version)
    }

    /// Sets a variable, see the head of `demo-app.rs` for those that the application knows.
    pub fn env(self, name: &str, value: &str) -> Image {
        let mut quoted = String::new();
        for c in value.chars() {
            // Podman takes all between the outer quotes as it is.
            if ['"', '\\', '$'].contains(&c) && !ground::on_podman() {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        self.change(&format!("ENV {name}=\"{quoted}\""))
    }

    /// It finishes its requests when it is told to end, and has a health check that Swarm goes by.
    pub fn for_swarm(self) -> Image {
        let check = r#"HEALTHCHECK --interval=500ms --retries=1 CMD ["/demo-app", "healthy"]"#;
        self.env("GRACEFUL", "1").change(check)
    }

    /// Applies one more Dockerfile instruction, such as `USER 1000` or `EXPOSE 9090`.
    pub fn change(mut self, instruction: &str) -> Image {
        self.changes.push(instruction.to_owned());
        self
    }

    /// Leaves the label away.
    pub fn unlabelled(mut self) -> Image {
        self.label = None;
        self
    }

    /// Adds `n` MiB of random bytes, which no layer compression makes smaller.
    pub fn padding_mb(mut self, n: usize) -> Image {
        self.padding = n << 20;
        self
    }

    /// Builds it as `name`, `host:port/repository:tag`.
    pub fn build(&self, name: &str) -> anyhow::Result<Built> {
        let label = self
            .label
            .as_ref()
            .map(|app| format!("LABEL app=\"{app}\""));
        // Podman's import knows of no health check, nor does an image that is not in docker's format.
        let build = |change: &&String| ground::on_podman() && change.starts_with("HEALTHCHECK");
        let (built, imported): (Vec<_>, Vec<_>) =
            self.changes.iter().chain(&label).partition(build);
        let mut args = vec!["import"];
        for change in imported {
            args.extend(["--change", change]);
        }
        args.extend(["-", name]);
        let mut id = docker_with(args, Some(self.layer()?))?;
        for change in built {
            let file = format!("FROM {id}\n{change}\n");
            let words = ["build", "--quiet", "--format=docker", "--tag", name, "-"];
            id = format!("sha256:{}", docker_with(words, Some(file.into_bytes()))?);
        }
        Ok(Built {
            id,
            name: name.to_owned(),
        })
    }

    fn layer(&self) -> anyhow::Result<Vec<u8>> {
        let app = fs::read(cargo::demo_app()?).context("the demo application cannot be read")?;
        let mut padding = vec![0; self.padding];
        File::open("/dev/urandom")?.read_exact(&mut padding)?;
        let mut tar = tar::Builder::new(Vec::new());
        for (name, mode, bytes) in [("demo-app", 0o755, &app), ("padding", 0o644, &padding)] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(mode);
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, bytes.as_slice())?;
        }
        Ok(tar.into_inner()?)
    }
}

impl Built {
    /// Pushes it to the registry in its name and returns its digest there, `sha256:…`.
    pub fn push(&self) -> anyhow::Result<String> {
        if ground::on_podman() {
            // It says nothing of the digest.
            let folder = tempfile::tempdir()?;
            // For one that another user than root runs.
            fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
            let path = folder.path().join("digest");
            docker(["push", "--digestfile", &path.to_string_lossy(), &self.name])?;
            return Ok(fs::read_to_string(path)?);
        }
        let said = docker(["push", &self.name])?;
        let words = || said.split_whitespace();
        words()
            .zip(words().skip(1))
            .find_map(|(word, next)| (word == "digest:").then(|| next.to_owned()))
            .with_context(|| format!("docker push named no digest: {said}"))
    }
}
