//! `voxplane-operator`: see the library for what it does.

use anyhow::Context as _;
use clap::Parser as _;
use voxplane_operator::config::{Cli, Command};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Run(arguments) = Cli::parse().command;
    voxplane_platform::tls::install_crypto_provider();
    voxplane_platform::telemetry::init()?;
    let settings = arguments.check()?;
    let stop = voxplane_platform::shutdown::on_signals().context("cannot listen for signals")?;
    voxplane_operator::run::run(settings, stop).await?;
    Ok(())
}
