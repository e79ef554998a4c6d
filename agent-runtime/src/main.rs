//! The voice agent runtime: takes calls, runs conversations.

use clap::Parser as _;
use voxplane_agent_runtime::{app, config::Args};
use voxplane_platform::{shutdown, telemetry, tls};

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    telemetry::init()?;
    tls::install_crypto_provider();
    let config = args.check()?;
    tracing::info!(?config, "configuration");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let stop = shutdown::on_signals()?;
        app::run(config, stop).await
    })
}
