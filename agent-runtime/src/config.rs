//! What the process is told by its environment, checked before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use reqwest::Url;

use voxplane_platform::egress::Egress;

/// Command line and environment.
#[derive(Debug, Parser)]
#[command(name = "voxplane-agent-runtime", version, about = "Takes calls from the Voxplane API and runs conversations")]
pub struct Args {
    /// Where the API's control service listens.
    #[arg(long, env = "VOXPLANE_CONTROL_URL")]
    control_url: String,
    /// Certificate authority of the control service (PEM).
    #[arg(long, env = "VOXPLANE_CONTROL_CA", default_value = "/etc/voxplane/control-ca/ca.crt")]
    control_ca: PathBuf,
    /// Projected ServiceAccount token, audience `voxplane-runtime`.
    #[arg(long, env = "VOXPLANE_TOKEN_FILE", default_value = "/var/run/secrets/voxplane/token")]
    token_file: PathBuf,
    /// Keys of the tenant's vendors; may be missing.
    #[arg(long, env = "VOXPLANE_CREDENTIALS_DIR", default_value = "/etc/voxplane/credentials")]
    credentials_dir: PathBuf,
    /// Calls at once.
    #[arg(long, env = "VOXPLANE_SLOTS", default_value_t = 4)]
    slots: u32,
    /// Where events wait while the API is away; unset: in memory only.
    #[arg(long, env = "VOXPLANE_SPOOL_DIR")]
    spool_dir: Option<PathBuf>,
    /// Voice detector and its runtime library.
    #[arg(long, env = "VOXPLANE_MODELS_DIR", default_value = "/opt/voxplane/models")]
    models_dir: PathBuf,
    /// LiveKit server to check at start-up (`ws`, `wss`, `http` or `https`); unset: no check.
    #[arg(long, env = "VOXPLANE_LIVEKIT_PROBE_URL")]
    livekit_probe_url: Option<String>,
    /// Longest time calls may go on after SIGTERM, in seconds.
    #[arg(long, env = "VOXPLANE_DRAIN_GRACE_SECONDS", default_value_t = 1_860)]
    drain_grace_seconds: u64,
    /// Address ranges besides the public internet that tools may reach, separated by commas.
    #[arg(long, env = "VOXPLANE_TOOL_ALLOWED_CIDRS", default_value = "")]
    tool_allowed_cidrs: String,
    /// The pool this pod belongs to, for logs.
    #[arg(long, env = "VOXPLANE_POOL", default_value = "")]
    pool: String,
    /// Probes and metrics.
    #[arg(long, env = "VOXPLANE_ADMIN_ADDRESS", default_value = voxplane_platform::admin::DEFAULT_ADDRESS)]
    admin_address: SocketAddr,
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The API's control service.
    pub control: ControlConfig,
    /// Keys of the tenant's vendors.
    pub credentials_dir: PathBuf,
    /// Calls at once.
    pub slots: u32,
    /// Where events wait; `None`: in memory only.
    pub spool_dir: Option<PathBuf>,
    /// Voice detector and its runtime library.
    pub models_dir: PathBuf,
    /// LiveKit server to check at start-up.
    pub livekit_probe: Option<Url>,
    /// Longest time calls may go on after SIGTERM.
    pub drain_grace: Duration,
    /// Where tools may send requests.
    pub tool_egress: Egress,
    /// The pool this pod belongs to.
    pub pool: String,
    /// Probes and metrics.
    pub admin_address: SocketAddr,
}

/// How to reach the API.
#[derive(Debug, Clone)]
pub struct ControlConfig {
    /// Address.
    pub url: String,
    /// Certificate authority; `None` without TLS.
    pub ca: Option<PathBuf>,
    /// ServiceAccount token.
    pub token_file: PathBuf,
}

/// A setting that cannot be used, naming it and the fix.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is {value:?}: {fix}")]
pub struct ConfigError {
    /// The environment variable.
    pub variable: &'static str,
    /// What was given.
    pub value: String,
    /// What would be accepted.
    pub fix: &'static str,
}

impl Args {
    /// Checks everything.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting that cannot be used.
    pub fn check(self) -> Result<Config, ConfigError> {
        let control = Self::control(self.control_url, self.control_ca, self.token_file)?;
        if !(1..=1_000).contains(&self.slots) {
            let value = self.slots.to_string();
            return Err(ConfigError { variable: "VOXPLANE_SLOTS", value, fix: "use 1 to 1000" });
        }
        if !(1..=86_400).contains(&self.drain_grace_seconds) {
            let value = self.drain_grace_seconds.to_string();
            return Err(ConfigError { variable: "VOXPLANE_DRAIN_GRACE_SECONDS", value, fix: "use 1 to 86400 seconds" });
        }
        let livekit_probe = self.livekit_probe_url.filter(|url| !url.is_empty()).map(probe_url).transpose()?;
        Ok(Config {
            control,
            credentials_dir: self.credentials_dir,
            slots: self.slots,
            spool_dir: self.spool_dir.filter(|path| !path.as_os_str().is_empty()),
            models_dir: self.models_dir,
            livekit_probe,
            drain_grace: Duration::from_secs(self.drain_grace_seconds),
            tool_egress: tool_egress(&self.tool_allowed_cidrs)?,
            pool: self.pool,
            admin_address: self.admin_address,
        })
    }

    fn control(url: String, ca: PathBuf, token_file: PathBuf) -> Result<ControlConfig, ConfigError> {
        const FIX: &str = "use https://host:port; plain http is accepted for this machine only";
        let bad = |value: &str| ConfigError { variable: "VOXPLANE_CONTROL_URL", value: value.to_owned(), fix: FIX };
        let parsed = Url::parse(&url).map_err(|_| bad(&url))?;
        let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match parsed.scheme() {
            "https" => Ok(ControlConfig { url, ca: Some(ca), token_file }),
            "http" if local => Ok(ControlConfig { url, ca: None, token_file }),
            _ => Err(bad(&url)),
        }
    }
}

fn tool_egress(ranges: &str) -> Result<Egress, ConfigError> {
    let ranges = ranges.split(',').map(str::trim).filter(|range| !range.is_empty());
    let parsed = ranges.map(|range| {
        range.parse().map_err(|_| ConfigError {
            variable: "VOXPLANE_TOOL_ALLOWED_CIDRS",
            value: range.to_owned(),
            fix: "use address ranges such as 10.20.0.0/16, separated by commas",
        })
    });
    Ok(Egress::new(parsed.collect::<Result<Vec<_>, _>>()?))
}

fn probe_url(url: String) -> Result<Url, ConfigError> {
    let parsed = Url::parse(&url)
        .ok()
        .filter(|url| matches!(url.scheme(), "ws" | "wss" | "http" | "https") && url.host_str().is_some());
    parsed.ok_or(ConfigError {
        variable: "VOXPLANE_LIVEKIT_PROBE_URL",
        value: url,
        fix: "use the LiveKit server's address, for example ws://livekit.example:7880",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str]) -> Result<Config, ConfigError> {
        Args::try_parse_from([&["voxplane-agent-runtime"], args].concat()).unwrap().check()
    }

    #[test]
    fn one_setting_is_enough() {
        let config = check(&["--control-url", "https://voxplane-api.voxplane-system.svc:9443"]).unwrap();
        assert_eq!(config.slots, 4);
        assert!(config.control.ca.is_some());
        assert!(config.livekit_probe.is_none());
        assert!(config.spool_dir.is_none());
    }

    #[test]
    fn a_bad_setting_is_named_with_the_fix() {
        let control = "https://api:9443";
        for (args, expected) in [
            (vec!["--control-url", "http://api:9443"], "VOXPLANE_CONTROL_URL is \"http://api:9443\": use https://"),
            (vec!["--control-url", "api"], "VOXPLANE_CONTROL_URL is \"api\": use https://"),
            (vec!["--control-url", control, "--slots", "0"], "VOXPLANE_SLOTS is \"0\": use 1 to 1000"),
            (
                vec!["--control-url", control, "--tool-allowed-cidrs", "10.0.0.0/8,10.1"],
                "VOXPLANE_TOOL_ALLOWED_CIDRS is \"10.1\": use address ranges",
            ),
            (
                vec!["--control-url", control, "--livekit-probe-url", "livekit"],
                "VOXPLANE_LIVEKIT_PROBE_URL is \"livekit\"",
            ),
        ] {
            let error = check(&args).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        assert!(check(&["--control-url", "http://127.0.0.1:9443"]).unwrap().control.ca.is_none());
    }
}
