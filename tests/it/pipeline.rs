//! Whole deployments, as the shell scripts that people write.

mod at_once;
mod deploy_sh;
mod from_a_script;
mod gaps;
mod identity;
mod kept_log;
mod releases;

use std::env;
use std::process::Command;

use stage::cargo;
use stage::docker::docker;
use stage::image::{Built, Image};
use stage::process::scrub;
use stage::registry;

use crate::support::App;

/// One flag after the other, the candidate removed when it fails.
const FLAGS: &str = r#"set -eu
pull-image "$IMAGE"
start-candidate --app "$APP" --image "$IMAGE" --publish "$PORT:8080"
probe-health --app "$APP" --within "$WITHIN" || { prune-app --app "$APP" --candidate; exit 1; }
promote --app "$APP" || { prune-app --app "$APP" --candidate; exit 1; }
prune-app --app "$APP"
"#;

/// Each report handed to the next step; the exit code is that of the step that failed.
const PIPE: &str = r#"set -eu
pull-image "$IMAGE" \
    | start-candidate --from - --app "$APP" --publish "$PORT:8080" \
    | probe-health --from - --within "$WITHIN" \
    | promote --from - \
    | prune-app --from - || { code=$?; prune-app --app "$APP" --candidate >&2; exit $code; }
"#;

/// A shell with the steps on its path, and what the scripts above take from their environment.
pub(crate) fn shell(script: &str, app: &App, image: &str) -> Command {
    let mut folders = vec![cargo::steps().unwrap().to_owned()];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap()));
    let mut sh = Command::new("sh");
    scrub(&mut sh)
        .args(["-c", script])
        .env("PATH", env::join_paths(folders).unwrap())
        .env("APP", app.name())
        .env("IMAGE", image)
        .env("PORT", app.port.to_string())
        .env("WITHIN", "30s");
    sh
}

/// An image in the shared registry, and not on the engine any more.
pub(crate) fn pushed(app: &App, image: &Image, version: &str) -> Built {
    let host = registry::shared().unwrap().host();
    let built = image.build(&format!("{host}/{}:{version}", app.name()));
    let built = built.unwrap();
    built.push().unwrap();
    docker(["image", "rm", &built.name]).unwrap();
    built
}
