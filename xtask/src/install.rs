//! The reference install: both charts rendered with the values beside it, for people who do not use Helm and for
//! reviews of what a change of the charts means.

use crate::{GENERATE, generated::Generated};
use anyhow::{Context as _, ensure};
use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

const FOLDER: &str = "manifests/install";
/// The oldest Kubernetes we support; templates must not look at a live cluster.
const KUBERNETES: &str = "1.33.0";

/// Adds the rendered charts, or says why it cannot.
pub fn add(root: &Path, files: &mut Generated) -> anyhow::Result<Option<String>> {
    let helm = env::var_os("HELM").map_or_else(|| PathBuf::from("helm"), PathBuf::from);
    let Some(crds) = render(&helm, root, "voxplane-crds", &[])? else {
        return Ok(Some(format!(
            "{FOLDER}/voxplane.yaml needs Helm 3 on the PATH, or its path in the environment variable HELM"
        )));
    };
    let values = format!("{FOLDER}/values.yaml");
    let main = render(&helm, root, "voxplane", &["--values", &values])?.context("helm disappeared")?;
    let header = format!(
        "# Made by `{GENERATE}` from the charts with {values}. Do not edit.\n\
         # Needs the Secrets that {values} names, and the namespace voxplane-system.\n"
    );
    files.file(format!("{FOLDER}/voxplane.yaml"), format!("{header}{crds}{main}"));
    Ok(None)
}

/// `None`: there is no helm.
fn render(helm: &Path, root: &Path, chart: &str, options: &[&str]) -> anyhow::Result<Option<String>> {
    let mut command = Command::new(helm);
    command.args(["template", chart, &format!("charts/{chart}"), "--namespace", "voxplane-system"]);
    // The pods of `helm test` are for Helm.
    command.args(["--kube-version", KUBERNETES, "--skip-tests"]).args(options).current_dir(root);
    let output = match command.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        output => output.with_context(|| format!("cannot run {}", helm.display()))?,
    };
    ensure!(output.status.success(), "helm template {chart}: {}", String::from_utf8_lossy(&output.stderr).trim());
    String::from_utf8(output.stdout).map(Some).context("helm prints UTF-8")
}
