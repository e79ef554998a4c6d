//! What the demo is told of a cluster that is there already.

use std::path::PathBuf;

use clap::Args;

/// Settings of `make demo CONTEXT=…`.
#[derive(Debug, Args)]
pub struct Options {
    /// Context of your kubeconfig: the demo goes into that cluster, and not into a lab.
    #[arg(long)]
    pub context: Option<String>,
    /// Values for the chart; they win over everything the demo sets.
    #[arg(long, value_delimiter = ',', requires = "context")]
    pub values: Vec<PathBuf>,
    /// Registry and path of the images: <images>/operator, <images>/api, <images>/agent-runtime.
    #[arg(long, requires = "context")]
    pub images: Option<String>,
    /// Tag of the images; by default the chart's version.
    #[arg(long, requires = "context")]
    pub tag: Option<String>,
    /// host or host:port of LiveKit's SIP service as seen from here: the demo calls it.
    #[arg(long, requires = "context")]
    pub sip: Option<String>,
    /// Addresses and ranges from which calls are taken; by default this machine's, if it calls.
    #[arg(long, value_delimiter = ',', requires = "context")]
    pub callers: Vec<String>,
    /// Remove what the demo made in that cluster.
    #[arg(long, requires = "context")]
    pub remove: bool,
    /// Do not ask before removing.
    #[arg(long, requires = "remove")]
    pub confirmed: bool,
    #[command(flatten)]
    pub connections: Connections,
}

/// Postgres and LiveKit, for whoever has no values file. In the environment only: command lines are seen by others.
#[derive(Debug, Args)]
pub struct Connections {
    /// Superuser's URL of the database; the demo makes the three roles with passwords of their own.
    #[arg(long, env = "VOXPLANE_POSTGRES_URL", hide = true, hide_env_values = true)]
    pub postgres_url: Option<String>,
    /// http(s)://host:port of LiveKit as seen from the cluster.
    #[arg(long, env = "VOXPLANE_LIVEKIT_URL", hide = true, hide_env_values = true)]
    pub livekit_url: Option<String>,
    /// LiveKit's API key.
    #[arg(long, env = "VOXPLANE_LIVEKIT_API_KEY", hide = true, hide_env_values = true)]
    pub livekit_api_key: Option<String>,
    /// LiveKit's API secret.
    #[arg(long, env = "VOXPLANE_LIVEKIT_API_SECRET", hide = true, hide_env_values = true)]
    pub livekit_api_secret: Option<String>,
}

impl Connections {
    /// Variables that must be set and are not, when there is no values file.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("VOXPLANE_POSTGRES_URL", &self.postgres_url),
            ("VOXPLANE_LIVEKIT_URL", &self.livekit_url),
            ("VOXPLANE_LIVEKIT_API_KEY", &self.livekit_api_key),
            ("VOXPLANE_LIVEKIT_API_SECRET", &self.livekit_api_secret),
        ];
        all.into_iter()
            .filter(|(_, value)| value.as_deref().unwrap_or_default().is_empty())
            .map(|(name, _)| name)
            .collect()
    }
}
