//! What a volume keeps its data in, where that is not a folder of the engine's own.

use std::collections::BTreeMap;

use serde::Deserialize;
use xshell::cmd;

use super::Engine;
use super::error::EngineError;
use super::json::nullable;

/// A volume, by `docker volume inspect`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Volume {
    /// Its name.
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    options: BTreeMap<String, String>,
}

impl Volume {
    /// What it mounts: a folder or a disk of this machine, or another machine's. One that is in memory has none.
    pub fn device(&self) -> Option<&str> {
        let device = self.options.get("device")?;
        device.contains('/').then_some(device)
    }

    /// Whether both mount the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.device().is_some() && self.options == other.options
    }
}

impl Engine {
    /// The volumes among `names`.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn volumes(&self, names: &[&str]) -> Result<Vec<Volume>, EngineError> {
        let Self { sh, cli, .. } = self;
        match self.inspect(cmd!(sh, "{cli} volume inspect {names...}").into()) {
            Err(EngineError::Failed { .. }) => Ok(Vec::new()),
            found => found,
        }
    }
}
