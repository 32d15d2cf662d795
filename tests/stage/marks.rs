//! The labels that the steps give to a container, for tests that make one of theirs by hand.

use serde_json::{Value, json};

use crate::docker::docker;

/// What the labels say.
#[derive(Debug, Clone)]
pub struct Marks {
    labels: Vec<(&'static str, String)>,
    recipe: Value,
}

impl Marks {
    /// A candidate of `app` for its live container of the same name, from an image that the engine has.
    pub fn candidate(app: &str, image: &str) -> anyhow::Result<Marks> {
        let id = docker(["image", "inspect", "--format", "{{.Id}}", image])?;
        // Podman writes it bare.
        let id = format!("sha256:{}", id.trim_start_matches("sha256:"));
        let labels = [("app", app), ("role", "candidate"), ("of", app)];
        let recipe = json!({"image": image, "image_id": id, "folder": "/"});
        Ok(Marks {
            labels: labels.map(|(name, value)| (name, value.to_owned())).into(),
            recipe,
        })
    }

    /// The container that promote makes of a candidate.
    pub fn made_final(self) -> Marks {
        self.with("role", "final")
    }

    /// For this live container.
    pub fn of(self, live: &str) -> Marks {
        self.with("of", live)
    }

    /// In the place of the container with this id.
    pub fn replaces(self, id: &str) -> Marks {
        self.with("replaces", id)
    }

    /// In the place of a release of the image with this id.
    pub fn previous(self, image_id: &str) -> Marks {
        let previous = json!({"image": "web", "image_id": image_id});
        self.with("previous", &previous.to_string())
    }

    /// Probed like this.
    pub fn probe(mut self, probe: Value) -> Marks {
        self.recipe["probe"] = probe;
        self
    }

    /// As deployment number `number`.
    pub fn deploy_id(mut self, number: u64) -> Marks {
        self.recipe["deploy_id"] = number.into();
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Marks {
        self.labels.retain(|(known, _)| *known != name);
        self.labels.push((name, value.to_owned()));
        self
    }

    /// Runs such a container, with options and its image.
    pub fn run(&self, name: &str, words: &[&str]) -> anyhow::Result<String> {
        let labels = self.options();
        let labels = labels.iter().map(String::as_str);
        let head = ["run", "-d", "--name", name].into_iter();
        docker(head.chain(labels).chain(words.iter().copied()))
    }

    /// As options of `docker create`.
    pub fn options(&self) -> Vec<String> {
        let recipe = ("recipe", self.recipe.to_string());
        let all = self.labels.iter().chain([&recipe]);
        all.map(|(name, value)| format!("--label=deploy-steps.{name}={value}"))
            .collect()
    }
}
