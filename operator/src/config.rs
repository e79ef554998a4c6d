//! Configuration: environment variables and flags, checked before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;
use voxplane_crds::names;

/// Makes the cluster, LiveKit and the carriers be as the Voxplane resources say.
#[derive(Debug, Parser)]
#[command(name = "voxplane-operator", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Runs the controllers until SIGTERM.
    Run(Box<RunArgs>),
}

/// Settings of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "VOXPLANE_ADMIN_ADDRESS", default_value = voxplane_platform::admin::DEFAULT_ADDRESS)]
    pub admin_address: SocketAddr,
    /// Postgres as the role voxplane_app. Without it no resource gets an id and nothing new is made.
    #[arg(long, env = "VOXPLANE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// LiveKit's HTTP address (http://livekit:7880). Without it no telephone number works.
    #[arg(long, env = "VOXPLANE_LIVEKIT_URL")]
    pub livekit_url: Option<String>,
    /// Key for LiveKit's API.
    #[arg(long, env = "VOXPLANE_LIVEKIT_API_KEY", hide_env_values = true)]
    pub livekit_api_key: Option<String>,
    /// Secret of that key.
    #[arg(long, env = "VOXPLANE_LIVEKIT_API_SECRET", hide_env_values = true)]
    pub livekit_api_secret: Option<String>,
    /// WebSocket address that runtime pods try at start, so that they can name a blocked port.
    #[arg(long, env = "VOXPLANE_LIVEKIT_PROBE_URL")]
    pub livekit_probe_url: Option<String>,
    /// Container image of runtime pods.
    #[arg(long, env = "VOXPLANE_RUNTIME_IMAGE")]
    pub runtime_image: String,
    /// When nodes pull that image.
    #[arg(long, env = "VOXPLANE_RUNTIME_IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    pub runtime_image_pull_policy: PullPolicy,
    /// Namespace of the platform itself.
    #[arg(long, env = "VOXPLANE_SYSTEM_NAMESPACE", default_value = names::SYSTEM_NAMESPACE)]
    pub system_namespace: String,
    /// Address of the API's control port, as runtime pods reach it.
    #[arg(long, env = "VOXPLANE_CONTROL_URL", default_value = "https://voxplane-api.voxplane-system.svc:9443")]
    pub control_url: String,
    /// What runtime pods may reach beside DNS and the control port, as JSON:
    /// [{"name":"livekit","cidr":"10.0.0.0/8","ports":[{"protocol":"UDP","port":50000,"endPort":60000}]}]
    #[arg(long, env = "VOXPLANE_EGRESS_JSON", default_value = "[]")]
    pub egress_json: String,
    /// Address ranges besides the public internet that agents' tools may reach, separated by commas.
    #[arg(long, env = "VOXPLANE_TOOL_ALLOWED_CIDRS", default_value = "")]
    pub tool_allowed_cidrs: String,
    /// Directory with the model that makes embeddings (libonnxruntime.so, minilm.onnx, minilm-vocab.txt). Without it
    /// knowledge is found by its words only, unless a service makes embeddings.
    #[arg(long, env = "VOXPLANE_MODELS_DIR", default_value = "/opt/voxplane/models")]
    pub models_dir: PathBuf,
    /// Address ranges that texts of knowledge bases may be fetched from although they are not public, separated by commas:
    /// 10.20.0.0/16,fd00:1::/64
    #[arg(long, env = "VOXPLANE_KNOWLEDGE_ALLOWED_CIDRS", default_value = "")]
    pub knowledge_allowed_cidrs: String,
    /// Name of this replica, unique among replicas.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
}

/// `imagePullPolicy` of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// Each time a pod starts.
    Always,
    /// Unless the node has it.
    IfNotPresent,
    /// Not at all: the image was loaded beforehand.
    Never,
}

impl PullPolicy {
    /// As Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// What runtime pods need to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Image, unless an agent pins another.
    pub image: String,
    /// When nodes pull it.
    pub pull_policy: PullPolicy,
    /// The API's control port.
    pub control_url: String,
    /// For the start-up self-check.
    pub livekit_probe_url: Option<String>,
    /// Address ranges besides the public internet that tools may reach.
    pub tool_cidrs: Vec<String>,
}

/// Access to LiveKit.
#[derive(Clone, Debug)]
pub struct LiveKitSettings {
    /// http:// or https:// address.
    pub url: String,
    /// API key.
    pub key: String,
    /// Its secret.
    pub secret: SecretString,
}

/// A destination that runtime pods may reach.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressAllowance {
    /// Becomes part of the NetworkPolicy's name.
    pub name: String,
    /// Address range.
    pub cidr: String,
    /// Ports; empty: every port.
    #[serde(default)]
    pub ports: Vec<PortRange>,
}

/// One port or a range of ports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PortRange {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The first port.
    pub port: u16,
    /// The last port, if it is a range.
    #[serde(default)]
    pub end_port: Option<u16>,
}

/// Checked configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of the admin server.
    pub admin_address: SocketAddr,
    /// Postgres, if configured.
    pub database_url: Option<SecretString>,
    /// LiveKit, if configured.
    pub livekit: Option<LiveKitSettings>,
    /// What runtime pods need to be told.
    pub runtime: RuntimeSettings,
    /// Namespace of the platform itself.
    pub system_namespace: String,
    /// What runtime pods may reach.
    pub egress: Vec<EgressAllowance>,
    /// Directory with the model that makes embeddings.
    pub models_dir: PathBuf,
    /// Address ranges that texts may be fetched from although they are not public.
    pub knowledge_allowed: Vec<IpNet>,
    /// Name of this replica.
    pub instance: String,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {message}")]
pub struct ConfigError {
    /// The environment variable.
    pub variable: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

impl RunArgs {
    /// Checks everything and parses it once.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is wrong and the fix.
    pub fn check(self) -> Result<Settings, ConfigError> {
        let livekit = match (given(self.livekit_url), given(self.livekit_api_key), given(self.livekit_api_secret)) {
            (None, None, None) => None,
            (Some(url), Some(key), Some(secret)) => {
                http_url("VOXPLANE_LIVEKIT_URL", &url)?;
                Some(LiveKitSettings { url, key, secret: secret.into() })
            }
            (url, key, _) => {
                let variable = match (url, key) {
                    (None, _) => "VOXPLANE_LIVEKIT_URL",
                    (_, None) => "VOXPLANE_LIVEKIT_API_KEY",
                    _ => "VOXPLANE_LIVEKIT_API_SECRET",
                };
                return Err(wrong(variable, "is missing: set URL, API_KEY and API_SECRET, or none of them"));
            }
        };
        if !self.control_url.starts_with("https://") {
            return Err(wrong("VOXPLANE_CONTROL_URL", "must begin with https://: pods send their credentials there"));
        }
        if self.runtime_image.trim().is_empty() {
            return Err(wrong("VOXPLANE_RUNTIME_IMAGE", "is empty: name the image of the agent runtime"));
        }
        let tool_cidrs = parse_tool_cidrs(&self.tool_allowed_cidrs)?;
        let mut egress = parse_egress(&self.egress_json)?;
        egress.extend(tool_cidrs.iter().map(|cidr| for_tools(cidr)));
        Ok(Settings {
            admin_address: self.admin_address,
            database_url: given(self.database_url).map(Into::into),
            livekit,
            runtime: RuntimeSettings {
                image: self.runtime_image,
                pull_policy: self.runtime_image_pull_policy,
                control_url: self.control_url,
                livekit_probe_url: given(self.livekit_probe_url),
                tool_cidrs,
            },
            system_namespace: self.system_namespace,
            egress,
            models_dir: self.models_dir,
            knowledge_allowed: parse_ranges(&self.knowledge_allowed_cidrs)?,
            instance: given(self.pod_name).unwrap_or_else(|| format!("voxplane-operator-{}", uuid::Uuid::new_v4())),
        })
    }
}

fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}

fn wrong(variable: &'static str, message: impl Into<String>) -> ConfigError {
    ConfigError { variable, message: message.into() }
}

fn http_url(variable: &'static str, url: &str) -> Result<(), ConfigError> {
    if url.starts_with("http://") || url.starts_with("https://") {
        Ok(())
    } else {
        Err(wrong(variable, format!("is {url:?}: it must begin with http:// or https://")))
    }
}

fn parse_ranges(text: &str) -> Result<Vec<IpNet>, ConfigError> {
    let ranges = text.split(',').map(str::trim).filter(|range| !range.is_empty());
    let parse = |range: &str| {
        let message = || format!("has {range:?}: that is no address range such as 10.20.0.0/16");
        range.parse().map_err(|_| wrong("VOXPLANE_KNOWLEDGE_ALLOWED_CIDRS", message()))
    };
    ranges.map(parse).collect()
}

fn parse_egress(json: &str) -> Result<Vec<EgressAllowance>, ConfigError> {
    const VARIABLE: &str = "VOXPLANE_EGRESS_JSON";
    let json = if json.trim().is_empty() { "[]" } else { json };
    let allowances: Vec<EgressAllowance> =
        serde_json::from_str(json).map_err(|error| wrong(VARIABLE, format!("is not a list of allowances: {error}")))?;
    for allowance in &allowances {
        let EgressAllowance { name, cidr, ports } = allowance;
        let label = !name.is_empty()
            && name.len() <= 50
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        if !label {
            return Err(wrong(VARIABLE, format!("name {name:?}: use up to 50 lower-case letters, digits and dashes")));
        }
        if !is_cidr(cidr) {
            return Err(wrong(VARIABLE, format!("{name}: cidr {cidr:?} is no address range such as 10.0.0.0/8")));
        }
        for range in ports {
            if !matches!(range.protocol.as_str(), "TCP" | "UDP" | "SCTP") {
                let protocol = &range.protocol;
                return Err(wrong(VARIABLE, format!("{name}: protocol {protocol:?} must be TCP, UDP or SCTP")));
            }
            if range.port == 0 || range.end_port.is_some_and(|end| end < range.port) {
                return Err(wrong(VARIABLE, format!("{name}: port is 1 to 65535, and endPort not below it")));
            }
        }
    }
    Ok(allowances)
}

fn parse_tool_cidrs(list: &str) -> Result<Vec<String>, ConfigError> {
    const VARIABLE: &str = "VOXPLANE_TOOL_ALLOWED_CIDRS";
    let ranges = list.split(',').map(str::trim).filter(|range| !range.is_empty());
    ranges
        .map(|range| match is_cidr(range) {
            true => Ok(range.to_owned()),
            false => Err(wrong(VARIABLE, format!("{range:?} is no address range such as 10.20.0.0/16"))),
        })
        .collect()
}

/// What a pod may send a tool's request to, the network has to let through.
fn for_tools(cidr: &str) -> EgressAllowance {
    let every = PortRange { protocol: "TCP".to_owned(), port: 1, end_port: Some(u16::MAX) };
    EgressAllowance { name: "tools".to_owned(), cidr: cidr.to_owned(), ports: vec![every] }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<std::net::IpAddr>(), length.parse::<u8>()) else { return false };
    length <= if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str]) -> Result<Settings, String> {
        let base = ["voxplane-operator", "run", "--runtime-image", "voxplane/agent-runtime:dev"];
        let cli = Cli::try_parse_from(base.iter().chain(arguments)).map_err(|error| error.to_string())?;
        let Command::Run(run) = cli.command;
        run.check().map_err(|error| error.to_string())
    }

    #[test]
    fn it_starts_without_optional_parts() {
        let settings = check(&[]).unwrap();
        assert!(settings.livekit.is_none() && settings.database_url.is_none());
        assert!(settings.instance.starts_with("voxplane-operator-"));
    }

    #[test]
    fn errors_name_the_variable_and_the_fix() {
        for (arguments, text) in [
            (&["--livekit-url", "http://lk:7880"][..], "VOXPLANE_LIVEKIT_API_KEY: is missing"),
            (&["--knowledge-allowed-cidrs", "10.0.0.0/8, 10.1"], "\"10.1\": that is no address range"),
            (&["--control-url", "http://api:9443"], "VOXPLANE_CONTROL_URL: must begin with https://"),
            (&["--egress-json", r#"[{"name":"lk","cidr":"10.0.0.0"}]"#], "is no address range"),
            (&["--tool-allowed-cidrs", "10.0.0.0/8,crm.example"], "VOXPLANE_TOOL_ALLOWED_CIDRS: \"crm.example\" is no"),
            (&["--egress-json", r#"[{"name":"lk","cidr":"10.0.0.0/8","port":1}]"#], "unknown field `port`"),
            (
                &["--egress-json", r#"[{"name":"lk","cidr":"10.0.0.0/8","ports":[{"protocol":"udp","port":1}]}]"#],
                "must be TCP, UDP or SCTP",
            ),
        ] {
            let error = check(arguments).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn what_tools_may_reach_the_network_lets_through() {
        let settings = check(&["--tool-allowed-cidrs", "10.20.0.0/16, fd00::/8"]).unwrap();
        assert_eq!(settings.runtime.tool_cidrs, ["10.20.0.0/16", "fd00::/8"]);
        let opened: Vec<_> = settings.egress.iter().map(|allowance| allowance.cidr.as_str()).collect();
        assert_eq!(opened, ["10.20.0.0/16", "fd00::/8"]);
    }

    #[test]
    fn secrets_do_not_show() {
        let arguments =
            ["--livekit-url", "http://lk:7880", "--livekit-api-key", "key", "--livekit-api-secret", "very-secret"];
        let settings = check(&arguments).unwrap();
        assert!(!format!("{settings:?}").contains("very-secret"));
    }
}
