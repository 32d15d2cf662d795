//! The bills of materials: what is linked into each program, and nothing that only the others need.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::ensure;
use serde_json::Value;
use stage::cargo::STEPS;
use xshell::{Shell, cmd};

use super::place::Place;

/// Takes them from where cargo-cyclonedx has written them, beside each manifest.
pub(crate) fn take(sh: &Shell, place: &Place, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(&place.root)? {
        let package = entry?;
        let file = package.path().join("bom.json");
        if !file.is_file() {
            continue;
        }
        let name = package.file_name().to_string_lossy().into_owned();
        if STEPS.contains(&&*name) {
            let here = place.root.display().to_string();
            let text = fs::read_to_string(&file)?.replace(&here, "/deploy-steps");
            let mut bom = serde_json::from_str(&text)?;
            restrict(&mut bom, &linked(sh, place, &name)?);
            let text = serde_json::to_string_pretty(&bom)?;
            ensure!(text.contains("\"clap\""), "the bill of {name} is empty");
            fs::write(folder.join(format!("{name}.cdx.json")), text + "\n")?;
        }
        fs::remove_file(file)?;
    }
    Ok(())
}

/// Name and version of each package in a program that is built by itself.
fn linked(sh: &Shell, place: &Place, step: &str) -> anyhow::Result<BTreeSet<String>> {
    let (target, format) = (&place.target, "{p}");
    let tree = cmd!(
        sh,
        "cargo tree --locked --package {step} --target {target} --edges normal --prefix none --format {format}"
    )
    .quiet()
    .read()?;
    let package = |line: &str| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?);
        Some(format!("{name}@{}", version.trim_start_matches('v')))
    };
    Ok(tree.lines().filter_map(package).collect())
}

/// cargo-cyclonedx lists what the workspace as a whole needs of a program's dependencies.
fn restrict(bom: &mut Value, linked: &BTreeSet<String>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut kept = BTreeSet::new();
    if let Some(components) = bom["components"].as_array_mut() {
        components.retain(|it| {
            let package = format!("{}@{}", text(&it["name"]), text(&it["version"]));
            linked.contains(&package)
        });
        kept.extend(components.iter().map(|it| text(&it["bom-ref"])));
    }
    kept.insert(text(&bom["metadata"]["component"]["bom-ref"]));
    if let Some(dependencies) = bom["dependencies"].as_array_mut() {
        dependencies.retain(|it| kept.contains(&text(&it["ref"])));
        for dependency in dependencies {
            if let Some(on) = dependency["dependsOn"].as_array_mut() {
                on.retain(|it| kept.contains(&text(it)));
            }
        }
    }
}
