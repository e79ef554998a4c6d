//! What `lab` commands and the init process say to each other: one JSON line each way per connection.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A process to be started inside the lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessSpec {
    /// Name of the process and of its log; unique among those running.
    pub name: String,
    /// Program, found through `PATH` of `env`, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// User and group to run as; root if absent.
    pub user: Option<(u32, u32)>,
    /// File that receives both output streams, appended.
    pub log: PathBuf,
}

/// A request to the init process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Start a process and keep it.
    Spawn {
        /// The process.
        spec: ProcessSpec,
    },
    /// Run a process to its end.
    Run {
        /// The process.
        spec: ProcessSpec,
        /// Kill it after this many milliseconds.
        timeout_ms: u64,
    },
    /// End a process: SIGTERM to its group, SIGKILL after the grace period.
    Stop {
        /// Name of the process.
        name: String,
        /// Milliseconds between the signals.
        grace_ms: u64,
    },
    /// List the processes that were spawned.
    List,
}

/// Answer of the init process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Response {
    /// Done.
    Done,
    /// A process that was run has ended.
    Exited {
        /// How it ended.
        exit: Exit,
    },
    /// The processes that were spawned, by name.
    Processes {
        /// State of each.
        processes: BTreeMap<String, ProcessState>,
    },
    /// The request was refused or failed.
    Failed {
        /// Why.
        message: String,
    },
}

/// State of a spawned process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ProcessState {
    /// Alive.
    Running {
        /// Pid inside the lab.
        pid: i32,
    },
    /// Ended.
    Exited {
        /// How.
        exit: Exit,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It was killed because it took too long.
    TimedOut,
}

impl Exit {
    /// Whether the process did what it was asked.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut => f.write_str("took too long and was killed"),
        }
    }
}
