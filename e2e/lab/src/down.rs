//! `lab down`: kills the lab's first process and removes what no namespace owns.

use std::fs;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cgroup;
use crate::error::{IoContext as _, LabError, Result, SystemContext as _};
use crate::layout::{LabName, Network};
use crate::net;
use crate::registry::{Registry, alive, init_pid};
use crate::state::LabState;

/// How long the kernel may take to end everything in the lab.
const LIMIT: Duration = Duration::from_secs(20);

/// Stops a lab and removes every trace. Returns whether there was one.
pub fn down(registry: &Registry, name: &LabName) -> Result<bool> {
    let _lock = registry.lock(name)?;
    let existed = registry.paths(name).dir().exists();
    clean(registry, name)?;
    Ok(existed)
}

/// [`down`] for a caller that holds the lab's lock.
pub fn clean(registry: &Registry, name: &LabName) -> Result<()> {
    let paths = registry.paths(name);
    if let Some(init) = init_pid(&paths) {
        match kill(Pid::from_raw(init), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).doing(format!("kill the lab's first process {init}")),
        }
    }
    // The keeper lets go of its lock once the last process has ended and the control groups are removed.
    let deadline = Instant::now() + LIMIT;
    while alive(&paths) {
        if Instant::now() > deadline {
            return Err(LabError::Init(format!(
                "lab {name} did not end within {} s; see {}",
                LIMIT.as_secs(),
                paths.log("init").display()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // The keeper did this too, unless it was killed.
    cgroup::remove(&name.cgroup())?;
    // An unreadable state must not keep the rest from being removed.
    if let Ok(Some(state)) = LabState::load(&paths.state()) {
        net::disconnect(Network::new(state.index), paths.dir())?;
    }
    match fs::remove_dir_all(paths.dir()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.at("remove", paths.dir()),
    }
}
