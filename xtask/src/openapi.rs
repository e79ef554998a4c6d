//! The description of the REST API, as the API's own binary prints it.

use crate::generated::Generated;
use anyhow::{Context as _, ensure};
use std::{env, path::Path, process::Command};

/// Adds the description. It is printed by the built binary rather than linked in here: this program would otherwise
/// take minutes to build.
pub fn add(_: &Path, files: &mut Generated) -> anyhow::Result<Option<String>> {
    // Cargo puts all programs of the workspace into one folder, wherever that is.
    let binary = env::current_exe().context("cannot find this program's folder")?.with_file_name("voxplane-api");
    if !binary.exists() {
        return Ok(Some(
            "docs/reference/openapi.json needs the built API: run `cargo build -p voxplane-api`".to_owned(),
        ));
    }
    let output =
        Command::new(&binary).arg("openapi").output().with_context(|| format!("cannot run {}", binary.display()))?;
    ensure!(output.status.success(), "voxplane-api openapi: {}", String::from_utf8_lossy(&output.stderr).trim());
    let description: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("voxplane-api openapi does not print JSON")?;
    files.file("docs/reference/openapi.json", format!("{description:#}\n"));
    Ok(None)
}
