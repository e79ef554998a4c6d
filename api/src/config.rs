//! Command line and environment, checked before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};

use crate::livekit::{LiveKitAccount, LiveKitUrlError};

/// The Voxplane API.
#[derive(Debug, Parser)]
#[command(name = "voxplane-api", version, about = "LiveKit worker, call placement, ledger and REST of Voxplane")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve REST, runtime pods and LiveKit jobs until SIGTERM.
    Serve(Box<ServeArgs>),
    /// Create roles (when given an administrator's URL) and bring the schema up to date.
    Migrate(MigrateArgs),
    /// Print the OpenAPI document.
    Openapi,
}

/// Configuration of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Postgres as the role `voxplane_app`: postgres://user:password@host:5432/database.
    #[arg(long, env = "VOXPLANE_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// LiveKit, http(s)://host:7880.
    #[arg(long, env = "VOXPLANE_LIVEKIT_URL")]
    pub livekit_url: String,
    /// LiveKit's API key.
    #[arg(long, env = "VOXPLANE_LIVEKIT_API_KEY")]
    pub livekit_api_key: String,
    /// LiveKit's API secret.
    #[arg(long, env = "VOXPLANE_LIVEKIT_API_SECRET", hide_env_values = true)]
    pub livekit_api_secret: SecretString,
    /// LiveKit as runtime pods reach it. Default: the address above.
    #[arg(long, env = "VOXPLANE_LIVEKIT_RUNTIME_URL")]
    pub livekit_runtime_url: Option<String>,
    /// Where REST listens.
    #[arg(long, env = "VOXPLANE_HTTP_ADDRESS", default_value = "[::]:8080")]
    pub http_address: SocketAddr,
    /// Where runtime pods connect (gRPC over TLS).
    #[arg(long, env = "VOXPLANE_CONTROL_ADDRESS", default_value = "[::]:9443")]
    pub control_address: SocketAddr,
    /// Where health and metrics listen.
    #[arg(long, env = "VOXPLANE_ADMIN_ADDRESS", default_value = "[::]:9090")]
    pub admin_address: SocketAddr,
    /// Directory with ca.crt, tls.crt and tls.key of the control port.
    #[arg(long, env = "VOXPLANE_CONTROL_TLS_DIR", default_value = "/etc/voxplane/control-tls")]
    pub control_tls_dir: PathBuf,
    /// Directory with signing-key.pem, bootstrap-email, bootstrap-password and data-key.
    #[arg(long, env = "VOXPLANE_AUTH_DIR", default_value = "/etc/voxplane/auth")]
    pub auth_dir: PathBuf,
    /// Directory with the model that makes embeddings of questions (libonnxruntime.so, minilm.onnx, minilm-vocab.txt).
    /// Without it knowledge is found by its words only, unless a service makes embeddings.
    #[arg(long, env = "VOXPLANE_MODELS_DIR", default_value = "/opt/voxplane/models")]
    pub models_dir: PathBuf,
    /// Connections to Postgres at most.
    #[arg(long, env = "VOXPLANE_DATABASE_CONNECTIONS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=200))]
    pub database_connections: u32,
    /// Seconds to keep serving after SIGTERM, until load balancers have noticed that this replica is not ready.
    #[arg(long, env = "VOXPLANE_SHUTDOWN_DELAY_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=120))]
    pub shutdown_delay_seconds: u64,
    /// Name of this replica.
    #[arg(long, env = "POD_NAME", default_value = "voxplane-api")]
    pub replica: String,
}

impl ServeArgs {
    /// Address and key of LiveKit.
    ///
    /// # Errors
    /// When an address has the wrong scheme.
    pub fn livekit(&self) -> Result<LiveKitAccount, ConfigError> {
        require("VOXPLANE_LIVEKIT_API_KEY", &self.livekit_api_key)?;
        require("VOXPLANE_LIVEKIT_API_SECRET", self.livekit_api_secret.expose_secret())?;
        LiveKitAccount::new(
            &self.livekit_url,
            self.livekit_runtime_url.as_deref().filter(|url| !url.is_empty()),
            self.livekit_api_key.clone(),
            self.livekit_api_secret.clone(),
        )
        .map_err(ConfigError::LiveKit)
    }
}

/// Configuration of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Postgres as a superuser: creates roles, ownership and the extension vector. Omitted: somebody else did.
    #[arg(long, env = "VOXPLANE_ADMIN_DATABASE_URL", hide_env_values = true)]
    pub admin_database_url: Option<SecretString>,
    /// Postgres as the role `voxplane_owner`.
    #[arg(long, env = "VOXPLANE_OWNER_DATABASE_URL", hide_env_values = true)]
    pub owner_database_url: SecretString,
    /// Postgres as the role `voxplane_app`; its password is set when an administrator's URL is given.
    #[arg(long, env = "VOXPLANE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// Postgres as the role `voxplane_jobs`; its password is set when an administrator's URL is given.
    #[arg(long, env = "VOXPLANE_JOBS_DATABASE_URL", hide_env_values = true)]
    pub jobs_database_url: Option<SecretString>,
}

/// Configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is empty.
    #[error("{variable} is empty: set it to a value")]
    Empty {
        /// Its name.
        variable: &'static str,
    },
    /// An address of LiveKit.
    #[error("VOXPLANE_LIVEKIT_URL or VOXPLANE_LIVEKIT_RUNTIME_URL is not usable")]
    LiveKit(#[source] LiveKitUrlError),
    /// A URL is missing that creating roles needs.
    #[error("{variable} is not set: with VOXPLANE_ADMIN_DATABASE_URL the roles' passwords are taken from their URLs")]
    RoleUrl {
        /// Its name.
        variable: &'static str,
    },
}

fn require(variable: &'static str, value: &str) -> Result<(), ConfigError> {
    if value.is_empty() { Err(ConfigError::Empty { variable }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let cli = Cli::parse_from([
            "voxplane-api",
            "serve",
            "--database-url",
            "postgres://u:hunter2@h/d",
            "--livekit-url",
            "http://l:7880",
            "--livekit-api-key",
            "k",
            "--livekit-api-secret",
            "hunter2",
        ]);
        assert!(!format!("{cli:?}").contains("hunter2"));
        let Command::Serve(args) = cli.command else { panic!("not serve") };
        assert_eq!(args.livekit().unwrap().runtime_url, "ws://l:7880");
    }
}
