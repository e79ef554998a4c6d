//! Makes the files of the repository that are made from other files, and tells whether they are up to date.
//!
//! | module | makes |
//! | --- | --- |
//! | [`crds`] | `manifests/crds/`, `charts/voxplane-crds/templates/` |
//! | [`mod@reference`] | `docs/reference/crds.md` |
//! | [`conditions`] | `docs/reference/conditions.md` |
//! | [`argocd`] | `manifests/argocd/argocd-cm.yaml` |
//! | [`migrations`] | `charts/voxplane/files/migrations-hash` |
//! | [`install`] | `manifests/install/voxplane.yaml` |
//! | [`openapi`] | `docs/reference/openapi.json` |

mod argocd;
mod conditions;
mod crds;
mod generated;
mod install;
mod migrations;
mod openapi;
mod reference;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use generated::Generated;
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The command a reader must run when a file is stale.
const GENERATE: &str = "cargo xtask generate";

#[derive(Parser)]
#[command(name = "xtask", about = "Makes the generated files of this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes every generated file.
    Generate {
        /// Changes nothing; fails naming the files that are out of date.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let Command::Generate { check } = Arguments::parse().command;
    match generate(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done when even this cannot be written.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Adds files, or says why it cannot make them here.
type Step = fn(&Path, &mut Generated) -> anyhow::Result<Option<String>>;

/// In this order: the install manifest is rendered from charts that hold generated files.
const STEPS: [Step; 7] =
    [crds::add, reference::add, conditions::add, argocd::add, migrations::add, install::add, openapi::add];

fn generate(check: bool) -> anyhow::Result<()> {
    let root = repository_root()?;
    let mut out = io::stdout().lock();
    let mut stale = vec![];
    for step in STEPS {
        let mut files = Generated::default();
        if let Some(reason) = step(&root, &mut files)? {
            writeln!(out, "skipped: {reason}")?;
        }
        stale.extend(settle(&root, files, check, &mut out)?);
    }
    if !stale.is_empty() {
        bail!("out of date: {}. Run `{GENERATE}` and commit the result", stale.join(", "));
    }
    Ok(())
}

/// Writes what differs, or names it when only checking.
fn settle(root: &Path, files: Generated, check: bool, out: &mut impl io::Write) -> anyhow::Result<Vec<String>> {
    let stale = files.stale(root)?;
    if check {
        return Ok(stale.iter().map(|change| change.path.display().to_string()).collect());
    }
    for change in &stale {
        change.apply(root).with_context(|| format!("cannot write {}", change.path.display()))?;
        writeln!(out, "wrote {}", change.path.display())?;
    }
    Ok(vec![])
}

/// The folder that holds the workspace, wherever this is called from.
fn repository_root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("the crate xtask lies at the top level of the repository")?.to_owned())
}
