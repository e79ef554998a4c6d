//! Talks to a running lab's init process.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::protocol::{Exit, ProcessSpec, ProcessState, Request, Response};
use crate::error::{LabError, Result};

/// How long a request that only asks may take.
const ASK: Duration = Duration::from_secs(10);

/// A lab's init process, by its socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The init process that listens on `socket`.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Starts a process and leaves it running.
    pub fn spawn(&self, spec: ProcessSpec) -> Result<()> {
        self.expect_done(&Request::Spawn { spec }, ASK)
    }

    /// Runs a process to its end.
    pub fn run(&self, spec: ProcessSpec, timeout: Duration) -> Result<Exit> {
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        match self.ask(&Request::Run { spec, timeout_ms }, timeout + ASK)? {
            Response::Exited { exit } => Ok(exit),
            other => Err(unexpected(other)),
        }
    }

    /// Ends a process.
    pub fn stop(&self, name: &str, grace: Duration) -> Result<()> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.expect_done(&Request::Stop { name: name.to_owned(), grace_ms }, grace + ASK)
    }

    /// State of every process that was spawned, by name.
    pub fn list(&self) -> Result<BTreeMap<String, ProcessState>> {
        match self.ask(&Request::List, ASK)? {
            Response::Processes { processes } => Ok(processes),
            other => Err(unexpected(other)),
        }
    }

    fn expect_done(&self, request: &Request, timeout: Duration) -> Result<()> {
        match self.ask(request, timeout)? {
            Response::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn ask(&self, request: &Request, timeout: Duration) -> Result<Response> {
        let failed = |error: std::io::Error| LabError::Init(format!("{}: {error}", self.socket.display()));
        let document = |source| LabError::Document { what: "a message of the init process".to_owned(), source };
        let mut stream = UnixStream::connect(&self.socket).map_err(failed)?;
        stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        let mut line = serde_json::to_vec(request).map_err(document)?;
        line.push(b'\n');
        stream.write_all(&line).map_err(failed)?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).map_err(failed)?;
        serde_json::from_str(&answer).map_err(document)
    }
}

fn unexpected(response: Response) -> LabError {
    match response {
        Response::Failed { message } => LabError::Init(message),
        other => LabError::Init(format!("answered {other:?}")),
    }
}
