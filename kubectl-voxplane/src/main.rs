//! The binary `kubectl-voxplane`, which kubectl runs for `kubectl voxplane`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use kubectl_voxplane::cli::Cli;
use kubectl_voxplane::error::{self, Error};
use kubectl_voxplane::run;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // An Err means that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Box::pin(run::run(&cli)).await {
        Ok(outcome) => ExitCode::from(outcome.code()),
        // Whoever read our output has seen enough: `… | head`.
        Err(Error::Write(source)) if source.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to be done when even this cannot be written.
            let _ = writeln!(io::stderr(), "error: {}", error::chain(&failure));
            ExitCode::from(failure.code())
        }
    }
}
