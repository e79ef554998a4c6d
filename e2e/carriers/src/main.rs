//! `carriers`: the stand-ins for Twilio, Telnyx and GoTo Connect, by hand.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use voxplane_carriers::Simulator;

/// Serves stand-ins for the number APIs of Twilio, Telnyx and GoTo Connect until it is stopped.
#[derive(Parser)]
#[command(name = "carriers", version)]
struct Args {
    /// Where the stand-in for Twilio listens.
    #[arg(long, default_value = "127.0.0.1:18081")]
    twilio: SocketAddr,
    /// Where the stand-in for Telnyx listens.
    #[arg(long, default_value = "127.0.0.1:18082")]
    telnyx: SocketAddr,
    /// Where the stand-in for GoTo Connect listens.
    #[arg(long, default_value = "127.0.0.1:18083")]
    goto_connect: SocketAddr,
    /// How many answers show an order of Telnyx or GoTo Connect as pending.
    #[arg(long, default_value_t = 2)]
    pending_polls: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let twilio = Simulator::twilio().listen(args.twilio).start().await.context("start the stand-in for Twilio")?;
    let telnyx = Simulator::telnyx().listen(args.telnyx).pending_polls(args.pending_polls).start();
    let telnyx = telnyx.await.context("start the stand-in for Telnyx")?;
    let goto_connect = Simulator::goto_connect().listen(args.goto_connect).pending_polls(args.pending_polls).start();
    let goto_connect = goto_connect.await.context("start the stand-in for GoTo Connect")?;
    for (name, simulator) in [("twilio", &twilio), ("telnyx", &telnyx), ("gotoConnect", &goto_connect)] {
        println!("{name}: {} (connection {})", simulator.url(), simulator.connection());
        for (key, value) in simulator.secret() {
            println!("  {key}: {value}");
        }
    }
    tokio::signal::ctrl_c().await.context("wait for the signal to stop")
}
