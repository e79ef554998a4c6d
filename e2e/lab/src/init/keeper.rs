//! The keeper: the one process on the host that belongs to a lab.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::setsid;

use crate::cgroup;
use crate::error::{IoContext as _, LabError, Result, SystemContext as _};
use crate::init::client::Client;
use crate::layout::{LabName, Paths};

/// How long the init process may take to answer.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Starts the keeper, detached from this terminal, and waits until the lab's init process answers.
pub fn launch(root: &std::path::Path, name: &LabName, paths: &Paths) -> Result<Client> {
    let log_path = paths.log("init");
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&log_path).at("open", &log_path)?;
    let errors = log.try_clone().at("open", &log_path)?;
    let program = std::env::current_exe().at("find", std::path::Path::new("/proc/self/exe"))?;
    let mut keeper = Command::new(program)
        .args(["keeper", "--name", name.as_str()])
        .env("VOXPLANE_LAB_DIR", root)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .at("start", &log_path)?;
    let client = Client::new(paths.init_socket());
    let deadline = Instant::now() + START_LIMIT;
    while client.list().is_err() {
        let ended = keeper.try_wait().at("wait for the process behind", &log_path)?;
        if ended.is_some() || Instant::now() > deadline {
            let state = ended.map_or("does not answer".to_owned(), |status| format!("ended with {status}"));
            return Err(LabError::Part {
                part: "init".to_owned(),
                message: format!("the lab's first process {state}"),
                tail: crate::command::log_tail(&log_path),
                hint: "run `lab down`, then `lab up` again".to_owned(),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(client)
}

/// Runs the keeper: makes the namespaces, starts init in them, waits for its end and removes what it leaves.
pub fn keep(name: &LabName, paths: &Paths) -> Result<()> {
    setsid().doing("leave the terminal's session")?;
    let lock_path = paths.alive_lock();
    let lock = File::create(&lock_path).at("create", &lock_path)?;
    if lock.try_lock().is_err() {
        return Err(LabError::Init(format!("lab {name} already runs")));
    }
    cgroup::create(&name.cgroup())?;
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID).doing("make network and pid namespaces")?;
    let program = std::env::current_exe().at("find", std::path::Path::new("/proc/self/exe"))?;
    let mut init = Command::new(program)
        .args(["init", "--name", name.as_str()])
        .stdin(Stdio::null())
        .spawn()
        .at("start", &lock_path)?;
    let pid_path = paths.init_pid();
    std::fs::write(&pid_path, init.id().to_string()).at("write", &pid_path)?;
    init.wait().at("wait for the process in", &pid_path)?;
    cgroup::remove(&name.cgroup())?;
    drop(lock);
    Ok(())
}
