//! `make bench-call-setup`: what a call costs before anybody answers it, by how many numbers LiveKit knows and by how
//! they are spread over trunks and rules. It measures and asserts nothing: docs/benchmarks.md says what the numbers mean.
#![allow(clippy::print_stdout)]

mod calls;
mod layout;
mod programming;
mod report;
mod scope;

use anyhow::{Context as _, Result};
use clap::Parser;
use voxplane_e2e::env::LabEnv;

use crate::{calls::Line, layout::Layout, programming::Programming, report::Measured, scope::Scope};

#[tokio::main]
async fn main() -> Result<()> {
    let scope = Scope::parse();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let env = LabEnv::load()?;
    report::heading(&scope);
    let programming = Programming::new(&env)?;
    programming.strangers().await.context("the rule for calls that match no trunk")?;
    let mut line = Line::open(&env).await?;
    let mut rows = Vec::new();
    for layout in layout::all(&scope)? {
        report::begins(&layout);
        // What a layout cannot do is a result, too.
        let measured = measure(&scope, &programming, &mut line, &layout).await.map_err(|error| format!("{error:#}"));
        report::measured(&measured);
        programming.remove(measured.is_err()).await.context("taking the trunks and rules away")?;
        rows.push((layout, measured));
    }
    line.close().await;
    report::table(&rows);
    Ok(())
}

/// Programs a layout and calls it.
async fn measure(scope: &Scope, programming: &Programming, line: &mut Line, layout: &Layout) -> Result<Measured> {
    let effort = programming.program(layout, scope.limit()).await.context("programming it")?;
    report::programmed(&effort);
    let calls = line.calls(&layout.spread(scope.calls, effort.made)).await?;
    let reads = programming.reads().await.context("reading all")?;
    let more = programming.one_more(layout).await.context("adding a number")?;
    Ok(Measured { effort, calls, reads, more })
}
