//! The apps that are replaced, from harmless to stubborn.

use std::time::Duration;

use stage::docker::docker;
use stage::image::Image;

use crate::swap::CALM;

/// An app and how it behaves.
pub(crate) struct App {
    pub(crate) title: &'static str,
    env: Option<(&'static str, &'static str)>,
    /// How long it is watched after a deployment, so that a boot still to come is seen.
    pub(crate) settle: Duration,
}

/// All of them.
pub(crate) const APPS: [App; 3] = [
    App {
        title: "answers at once",
        env: None,
        settle: CALM,
    },
    App {
        title: "needs 2 s to boot",
        env: Some(("BOOT_MS", "2000")),
        settle: Duration::from_millis(3000),
    },
    App {
        title: "ignores SIGTERM",
        env: Some(("DEAF", "1")),
        settle: CALM,
    },
];

/// One whose boot is long beside all else.
pub(crate) const SLOW: App = App {
    title: "needs 20 s to boot",
    env: Some(("BOOT_MS", "20000")),
    settle: CALM,
};

impl App {
    /// Builds and pushes a version of it; every deployment pulls it anew.
    pub(crate) fn publish(&self, name: &str, app: &str, version: &str) -> anyhow::Result<()> {
        let mut image = Image::of(app).version(version);
        if let Some((key, value)) = self.env {
            image = image.env(key, value);
        }
        image.build(name)?.push()?;
        docker(["image", "rm", name])?;
        Ok(())
    }
}
