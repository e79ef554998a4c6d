//! Programs beside the tests: kubectl, ours, and the lab's own, with which its parts are broken and brought back.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::env::LabEnv;

/// A program that Cargo put beside the tests; the environment variable may name another.
///
/// # Errors
/// When it has not been compiled.
pub fn program(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let programs = own.parent().and_then(std::path::Path::parent).context("this test lies in target/<profile>/deps")?;
    let path = programs.join(name);
    ensure!(path.exists(), "{} is missing: run `cargo build --workspace --bins`", path.display());
    Ok(path)
}

/// kubectl for the lab's cluster, from the PATH; `VOXPLANE_KUBECTL` may name another.
#[must_use]
pub fn kubectl(env: &LabEnv) -> std::process::Command {
    let program = std::env::var_os("VOXPLANE_KUBECTL").unwrap_or_else(|| "kubectl".into());
    let mut command = std::process::Command::new(program);
    command.env("KUBECONFIG", &env.kubeconfig).stdin(Stdio::null());
    command
}

/// What to do when kubectl cannot be started.
pub const NO_KUBECTL: &str = "starting kubectl: put it on the PATH (`lab tools --env`) or set VOXPLANE_KUBECTL";

async fn lab(env: &LabEnv, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program("lab", "VOXPLANE_LAB")?);
    command.args(["--name", &env.name]).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.context("starting the lab's program")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "lab {arguments:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Kills a process of the lab, as a crash would.
///
/// # Errors
/// When there is no such process, or it cannot be killed.
pub async fn kill(env: &LabEnv, process: &str) -> Result<()> {
    // The lab's processes are all that its process namespace has.
    let pids = lab(env, &["exec", "--", "pidof", process]).await?;
    let pids: Vec<&str> = pids.split_whitespace().collect();
    ensure!(!pids.is_empty(), "no process {process} in the lab");
    lab(env, &[&["exec", "--", "kill", "-KILL"], &pids[..]].concat()).await.map(drop)
}

/// Starts what has died of a part, and waits until the part works.
///
/// # Errors
/// When it does not.
pub async fn revive(env: &LabEnv, part: &str) -> Result<()> {
    lab(env, &["up", "--no-build", "--only", part]).await.map(drop)
}
