//! What can go wrong in a lab, said so that the reader knows what to do next.

use std::path::{Path, PathBuf};

/// Result of a lab operation.
pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// Why a lab operation failed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The name cannot be used for interfaces, control groups and directories.
    #[error("lab name {name:?} is not usable: {reason}; use 1 to 16 of a-z, 0-9 and '-', for example --name demo")]
    Name {
        /// The refused name.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The machine lacks something every lab needs.
    #[error("this machine cannot run the lab:\n{}", bullets(.0))]
    Machine(Vec<String>),
    /// No lab of that name is running.
    #[error("lab {0:?} is not running; start it with `lab up --name {0}`")]
    NotRunning(String),
    /// All indexes are taken.
    #[error("no free lab index: {0} labs exist; stop one with `lab down --name NAME` (see `lab status --all`)")]
    NoIndex(usize),
    /// A third-party part could not be built or fetched.
    #[error("tool {tool}: {message}\n{tail}  what to try: {hint}")]
    Tool {
        /// Name of the tool.
        tool: String,
        /// What failed.
        message: String,
        /// The last lines of the build's output.
        tail: String,
        /// What the reader can do.
        hint: String,
    },
    /// A part did not start or does not answer.
    #[error("part {part}: {message}\n{tail}  what to try: {hint}")]
    Part {
        /// Name of the part.
        part: String,
        /// What failed.
        message: String,
        /// The last lines of its log.
        tail: String,
        /// What the reader can do.
        hint: String,
    },
    /// Some parts failed; each has been reported on its own.
    #[error("{} failed: {}", if .0.len() == 1 { "one part" } else { "some parts" }, .0.join(", "))]
    Parts(Vec<String>),
    /// A command of the host failed.
    #[error("`{command}` failed: {message}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status and error output.
        message: String,
    },
    /// The lab's first process did not answer or refused.
    #[error("the lab's init process: {0}")]
    Init(String),
    /// Certificates could not be made.
    #[error("could not make the lab's certificates")]
    Certificate(#[from] rcgen::Error),
    /// A file operation failed.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A stored or received document could not be read.
    #[error("could not read {what}")]
    Document {
        /// Which document.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A system call failed.
    #[error("could not {doing}")]
    System {
        /// The operation, as a verb with its object.
        doing: String,
        /// Why.
        #[source]
        source: nix::Error,
    },
}

/// Adds the operation and the path to a file error.
pub trait IoContext<T> {
    /// Names what was done with which file.
    fn at(self, doing: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| LabError::Io { doing, path: path.to_owned(), source })
    }
}

/// Adds the operation to a failed system call.
pub trait SystemContext<T> {
    /// Names what was tried.
    fn doing(self, doing: impl Into<String>) -> Result<T>;
}

impl<T> SystemContext<T> for nix::Result<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|source| LabError::System { doing: doing.into(), source })
    }
}

/// An error with its causes, on one line each.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
}
