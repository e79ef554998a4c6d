//! `make bench-operator`: many agents in many tenants against a real API server, Postgres and LiveKit, and what the
//! operator asked of them. It measures and asserts nothing: docs/benchmarks.md says what the numbers mean.
#![allow(clippy::print_stdout)]

mod counts;
mod fleet;
mod operator;
mod phases;
mod prepare;
mod report;
mod scope;
mod watching;

use anyhow::{Context as _, Result};
use clap::Parser;
use voxplane_e2e::env::LabEnv;

use crate::fleet::Fleet;
use crate::phases::Bench;
use crate::scope::Scope;

#[tokio::main]
async fn main() -> Result<()> {
    let scope = Scope::parse();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let env = LabEnv::load()?;
    report::heading(&scope);
    let client = env.kube().await?;
    let databases = prepare::all(&env, &client).await.context("preparing the lab")?;
    let fleet = Fleet::new(client.clone(), scope.clone());
    let mut bench = Bench::start(env, client, databases, fleet, scope).await?;
    let outcome = bench.run().await;
    bench.stop().await?;
    outcome
}
