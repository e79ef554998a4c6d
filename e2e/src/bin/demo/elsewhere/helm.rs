//! Helm, which installs the charts.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::process::Command;
use voxplane_e2e::world::{AUTH_SECRET, SYSTEM_NAMESPACE, repository};

/// The releases and their charts, in the order in which they are installed.
pub const DEFINITIONS: &str = "voxplane-crds";
/// Operator, API and the rules around them.
pub const PRODUCT: &str = "voxplane";

/// Helm for one cluster.
pub struct Helm {
    program: PathBuf,
    context: String,
}

impl Helm {
    /// The program in the variable HELM, or on the PATH.
    pub fn new(context: &str) -> Self {
        let named = std::env::var_os("HELM").filter(|program| !program.is_empty());
        Self { program: named.map_or_else(|| "helm".into(), Into::into), context: context.to_owned() }
    }

    /// Helm's version.
    pub async fn version(&self) -> Result<String> {
        self.run(&["version", "--template", "{{.Version}}"]).await
    }

    /// What the chart would make with these values; an error says which value is wrong.
    pub async fn template(&self, values: &[PathBuf]) -> Result<()> {
        self.chart(&["template", "--kube-version", "1.33.0"], PRODUCT, values).await.map(drop)
    }

    /// Installs a chart under its own name, or brings it up to date.
    pub async fn install(&self, chart: &str, values: &[PathBuf]) -> Result<()> {
        self.chart(&["upgrade", "--install", "--history-max", "3"], chart, values).await.map(drop)
    }

    /// The chart's own test.
    pub async fn test(&self) -> Result<()> {
        self.run(&["test", PRODUCT, "--timeout", "2m"]).await.map(drop)
    }

    /// Removes a release; it may be gone already.
    pub async fn uninstall(&self, release: &str) -> Result<()> {
        self.run(&["uninstall", release, "--ignore-not-found", "--wait", "--timeout", "3m"]).await.map(drop)
    }

    /// The Secret with the first administrator's credential.
    pub async fn auth_secret(&self) -> Result<String> {
        let text = self.run(&["get", "values", PRODUCT, "--all", "--output", "json"]).await?;
        let values: Value = serde_json::from_str(&text)?;
        let named = values["auth"]["existingSecret"].as_str().unwrap_or_default();
        Ok(if named.is_empty() { AUTH_SECRET } else { named }.to_owned())
    }

    async fn chart(&self, words: &[&str], chart: &str, values: &[PathBuf]) -> Result<String> {
        let folder = repository().join("charts").join(chart);
        let folder = folder.to_string_lossy();
        let values: Vec<_> = values.iter().map(|path| path.to_string_lossy()).collect();
        let mut words = words.to_vec();
        words.extend([chart, &*folder]);
        words.extend(values.iter().flat_map(|path| ["--values", &**path]));
        self.run(&words).await
    }

    async fn run(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(words).args(["--kube-context", &self.context, "--namespace", SYSTEM_NAMESPACE]);
        let output =
            command.stdin(Stdio::null()).kill_on_drop(true).output().await.with_context(|| {
                format!("starting {}: install Helm 3 or set HELM to its path", self.program.display())
            })?;
        if !output.status.success() {
            bail!("helm {}: {}", words.first().unwrap_or(&""), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
