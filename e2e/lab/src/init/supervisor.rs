//! Starts, reaps and stops the lab's processes. It restarts nothing: a part that dies is a finding, not noise.

use std::collections::{BTreeMap, HashMap};
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::protocol::{Exit, ProcessSpec, ProcessState};

/// Owns every process that the lab's commands start.
#[derive(Debug, Default)]
pub struct Supervisor {
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    /// Spawned processes by name.
    named: BTreeMap<String, Pid>,
    /// Exit of every child we started; absent while it runs.
    exits: HashMap<Pid, Exit>,
}

impl Table {
    fn state(&self, pid: Pid) -> ProcessState {
        match self.exits.get(&pid) {
            Some(exit) => ProcessState::Exited { exit: *exit },
            None => ProcessState::Running { pid: pid.as_raw() },
        }
    }
}

impl Supervisor {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects every child that ends, also those orphaned by others, for as long as the process lives.
    pub fn reap_forever(&self) {
        loop {
            // Only looks. A program that cannot be started is collected by the standard library, in the middle of a
            // `start`, and it insists on finding it.
            match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(status) => {
                    if let Some(pid) = status.pid() {
                        self.reap(pid);
                    }
                }
                Err(Errno::EINTR) => {}
                // No child at the moment; the next spawn is noticed a little later.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Collects a child that has ended, unless it is gone by the time no other is being started.
    fn reap(&self, pid: Pid) {
        let mut table = self.table();
        let exit = match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => Exit::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Exit::Signal(signal as i32),
            _ => return,
        };
        table.exits.insert(pid, exit);
        self.changed.notify_all();
    }

    /// Starts a process under its name. A running process of that name is an error, an ended one is replaced.
    pub fn spawn(&self, spec: &ProcessSpec) -> Result<(), String> {
        let mut table = self.table();
        if let Some(pid) = table.named.get(&spec.name)
            && let ProcessState::Running { pid } = table.state(*pid)
        {
            return Err(format!("{} is already running (pid {pid})", spec.name));
        }
        let pid = start(spec, &mut table)?;
        table.named.insert(spec.name.clone(), pid);
        Ok(())
    }

    /// Runs a process to its end, or kills its group when the time is up.
    pub fn run(&self, spec: &ProcessSpec, timeout: Duration) -> Result<Exit, String> {
        let pid = start(spec, &mut self.table())?;
        match self.wait(pid, timeout) {
            Some(exit) => Ok(exit),
            None => {
                // The group may have ended between the time-out and this call.
                let _ = killpg(pid, Signal::SIGKILL);
                self.wait(pid, Duration::from_secs(5));
                Ok(Exit::TimedOut)
            }
        }
    }

    /// Ends a process group: SIGTERM, then SIGKILL.
    pub fn stop(&self, name: &str, grace: Duration) -> Result<(), String> {
        let pid = {
            let table = self.table();
            let pid = *table.named.get(name).ok_or_else(|| format!("{name} was never started"))?;
            if let ProcessState::Exited { .. } = table.state(pid) {
                // Its number may be another's by now.
                return Ok(());
            }
            pid
        };
        for (signal, patience) in [(Signal::SIGTERM, grace), (Signal::SIGKILL, Duration::from_secs(5))] {
            if let Err(error) = killpg(pid, signal)
                && error != Errno::ESRCH
            {
                return Err(format!("{signal} to {name}: {error}"));
            }
            if self.wait(pid, patience).is_some() {
                return Ok(());
            }
        }
        Err(format!("{name} did not end even after SIGKILL"))
    }

    /// State of every named process.
    pub fn list(&self) -> BTreeMap<String, ProcessState> {
        let table = self.table();
        table.named.iter().map(|(name, pid)| (name.clone(), table.state(*pid))).collect()
    }

    fn wait(&self, pid: Pid, timeout: Duration) -> Option<Exit> {
        let deadline = Instant::now() + timeout;
        let mut table = self.table();
        loop {
            if let Some(exit) = table.exits.get(&pid) {
                return Some(*exit);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            table = self.changed.wait_timeout(table, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Starts a process in a group of its own. The table is held so that the reaper cannot see the exit first.
fn start(spec: &ProcessSpec, table: &mut Table) -> Result<Pid, String> {
    let failed = |doing: &str, error: std::io::Error| format!("{}: could not {doing}: {error}", spec.name);
    let (program, arguments) = spec.argv.split_first().ok_or_else(|| format!("{}: no command", spec.name))?;
    let log = OpenOptions::new().create(true).append(true).open(&spec.log).map_err(|e| failed("open its log", e))?;
    let errors = log.try_clone().map_err(|e| failed("open its log", e))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&spec.env).current_dir(&spec.cwd).process_group(0);
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    if let Some((uid, gid)) = spec.user {
        command.uid(uid).gid(gid);
    }
    let child = command.spawn().map_err(|e| failed(&format!("start {program}"), e))?;
    let raw = i32::try_from(child.id()).map_err(|_| format!("{}: impossible pid {}", spec.name, child.id()))?;
    let pid = Pid::from_raw(raw);
    // The number may have belonged to an earlier process.
    table.exits.remove(&pid);
    Ok(pid)
}
