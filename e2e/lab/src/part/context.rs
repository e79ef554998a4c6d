//! What starting a part needs: the lab, its tools, its init process and a way to wait.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::command::log_tail;
use crate::error::{IoContext as _, LabError, Result};
use crate::init::client::Client;
use crate::init::protocol::{ProcessSpec, ProcessState};
use crate::layout::{LabName, Network, Node, Paths};
use crate::pki::path_text;
use crate::probe::Prober;
use crate::report::Report;
use crate::state::LabState;
use crate::tools::ToolSet;

/// Programs of the host that parts use.
const HOST_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Pause between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// A running lab, as the parts see it.
#[derive(Clone)]
pub struct Context {
    /// The lab's name.
    pub name: LabName,
    /// Its index and passwords.
    pub state: LabState,
    /// Its files.
    pub paths: Paths,
    /// The tools its parts run.
    pub tools: ToolSet,
    /// Its first process.
    pub init: Client,
    /// Requests in its network.
    pub prober: Prober,
    /// Progress lines.
    pub report: Report,
    /// Whether the product's programs are compiled before the images are built.
    pub compile: bool,
}

impl Context {
    /// Addresses of this lab.
    pub fn network(&self) -> Network {
        self.state.network()
    }

    /// A port on the node address.
    pub fn at_node(&self, port: u16) -> SocketAddr {
        (self.network().node(), port).into()
    }

    /// A port on the lab's loopback address.
    pub fn at_loopback(&self, port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// The environment of every process in the lab.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let dirs = self.tools.program_dirs();
        let path = dirs.iter().map(|dir| path_text(dir)).chain([HOST_PATH.to_owned()]).collect::<Vec<_>>().join(":");
        let dir = |name: &str| path_text(&self.paths.join(name));
        [
            ("PATH", path),
            ("HOME", dir("")),
            ("TMPDIR", dir("tmp")),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("KUBECONFIG", path_text(&self.paths.kubeconfig())),
            ("CONTAINERD_ADDRESS", path_text(&self.paths.containerd_socket(Node::First))),
            ("CONTAINERD_NAMESPACE", "k8s.io".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// A process of this lab, run as root in the lab's directory.
    pub fn process(&self, name: &str, argv: &[String]) -> ProcessSpec {
        // The program is looked up in the init process, whose own PATH does not know the tools.
        let mut argv = argv.to_vec();
        if let Some(program) = argv.first_mut()
            && let Some(found) = self.program(program)
        {
            *program = path_text(&found);
        }
        ProcessSpec {
            name: name.to_owned(),
            argv,
            env: self.environment(),
            cwd: self.paths.dir().to_owned(),
            user: None,
            log: self.paths.log(name),
        }
    }

    /// A process of a node: its client commands mean the node's own container runtime.
    pub fn process_on(&self, node: Node, name: &str, argv: &[String]) -> ProcessSpec {
        let mut spec = self.process(&node.own(name), argv);
        spec.env.insert("CONTAINERD_ADDRESS".to_owned(), path_text(&self.paths.containerd_socket(node)));
        spec
    }

    /// Path of a program among the tools.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.tools.program(name)
    }

    /// Starts a process unless it runs.
    pub fn spawn(&self, spec: ProcessSpec) -> Result<()> {
        if self.running(&spec.name).is_ok() {
            return Ok(());
        }
        self.init.spawn(spec)
    }

    /// Runs a command in the lab to its end; its failure is the part's.
    pub fn run(&self, part: &str, spec: ProcessSpec, timeout: Duration, hint: &str) -> Result<()> {
        let (name, log) = (spec.name.clone(), spec.log.clone());
        let exit = self.init.run(spec, timeout)?;
        if exit.success() { Ok(()) } else { Err(failure(part, format!("{name}: {exit}"), &log, hint)) }
    }

    /// Whether a process runs; the error says how it ended.
    pub fn running(&self, process: &str) -> Result<(), String> {
        match self.init.list().map_err(|error| error.to_string())?.get(process) {
            Some(ProcessState::Running { .. }) => Ok(()),
            Some(ProcessState::Exited { exit }) => Err(format!("{process} ended: {exit}")),
            None => Err(format!("{process} was not started")),
        }
    }

    /// Probes until the process works, fails for good or takes too long.
    pub fn wait_for(
        &self,
        process: &str,
        limit: Duration,
        hint: &str,
        probe: impl Fn() -> Result<(), String>,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let gone = self.running(process);
            let Err(reason) = gone.clone().and_then(|()| probe()) else { return Ok(()) };
            if gone.is_err() || Instant::now() > deadline {
                let message =
                    if gone.is_err() { reason } else { format!("not ready after {} s: {reason}", limit.as_secs()) };
                return Err(failure(process, message, &self.paths.log(process), hint));
            }
            std::thread::sleep(PROBE_INTERVAL);
        }
    }

    /// Makes a directory of this lab.
    pub fn directory(&self, relative: &str) -> Result<PathBuf> {
        let dir = self.paths.join(relative);
        std::fs::create_dir_all(&dir).at("create", &dir)?;
        Ok(dir)
    }

    /// Runs kubectl on the host against this lab's cluster.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let program = self.program("kubectl").unwrap_or_else(|| PathBuf::from("kubectl"));
        let mut command = std::process::Command::new(program);
        command.arg("--request-timeout=5s").arg("--kubeconfig").arg(self.paths.kubeconfig());
        // kubectl keeps a discovery cache at home, which must not survive the lab.
        command.arg("--cache-dir").arg(self.paths.join("tmp/kubectl"));
        crate::command::output(command.args(arguments))
    }
}

/// A part's failure, with the end of its log.
pub fn failure(part: &str, message: String, log: &Path, hint: &str) -> LabError {
    LabError::Part { part: part.to_owned(), message, tail: log_tail(log), hint: hint.to_owned() }
}

/// Turns words into an owned command line.
pub fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}
