//! The binary `voxplane-api`.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use voxplane_api::config::{Cli, Command};
use voxplane_api::{migrate, rest, serve};
use voxplane_platform::{error_chain, shutdown, telemetry, tls};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error_chain::describe(error.as_ref()), "voxplane-api ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Command::Openapi = cli.command {
        let text = serde_json::to_string_pretty(&rest::openapi())?;
        return writeln!(std::io::stdout(), "{text}").context("writing the document");
    }
    telemetry::init().context("setting up the log")?;
    tls::install_crypto_provider();
    match cli.command {
        Command::Serve(args) => {
            let signal = shutdown::on_signals().context("listening for signals")?;
            Ok(serve::run(&args, signal).await?)
        }
        Command::Migrate(args) => Ok(migrate::run(&args).await?),
        Command::Openapi => Ok(()),
    }
}
