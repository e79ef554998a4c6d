//! Where the lab is: addresses and credentials of a running lab, as `lab env --json` prints them.

use anyhow::{Context, Result};
use serde::Deserialize;

/// What a test needs to know about the lab it talks to.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabEnv {
    /// Path of an administrator's kubeconfig.
    pub kubeconfig: String,
    /// `host:port` of LiveKit SIP, to be dialled as `sip:<number>@<address>`.
    pub sip_address: String,
    /// Base URL of the REST API, without `/api/v1`.
    pub api_url: String,
    /// `http://host:port` of livekit-server.
    pub livekit_url: String,
    /// API key of livekit-server.
    pub livekit_api_key: String,
    /// API secret of livekit-server.
    pub livekit_api_secret: String,
    /// Superuser URL of Postgres.
    pub postgres_url: String,
    /// The lab's name, for `lab exec --name`.
    pub name: String,
}

impl LabEnv {
    /// Reads the JSON document named by `VOXPLANE_LAB_ENV` (a file path).
    ///
    /// # Errors
    /// When the variable is missing or the file is not what `lab env --json` prints.
    pub fn load() -> Result<Self> {
        let path = std::env::var("VOXPLANE_LAB_ENV")
            .context("VOXPLANE_LAB_ENV is not set: it names a file made by `lab env --json`; `make test` sets it")?;
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        serde_json::from_str(&text).with_context(|| format!("{path} is not the output of `lab env --json`"))
    }

    /// The URI to dial for a number in this lab.
    pub fn sip_uri(&self, number: &str) -> String {
        format!("sip:{number}@{}", self.sip_address)
    }

    /// A Kubernetes client for this lab's cluster.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn kube(&self) -> Result<kube::Client> {
        let kubeconfig = kube::config::Kubeconfig::read_from(&self.kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await?;
        Ok(kube::Client::try_from(config)?)
    }
}
