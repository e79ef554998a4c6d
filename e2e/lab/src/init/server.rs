//! The init process: prepares its namespaces, then answers requests on a socket until it is killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::mounts;
use super::protocol::{Request, Response};
use super::supervisor::Supervisor;
use crate::error::{IoContext as _, LabError, Result, SystemContext as _};
use crate::layout::Paths;

/// Requests served at the same time; more wait in the socket's backlog.
const MAX_CONNECTIONS: usize = 32;
/// Largest request accepted.
const MAX_REQUEST: u64 = 1 << 20;

/// Runs as the first process of the lab's pid namespace. Returns only if it cannot start.
pub fn serve(paths: &Paths) -> Result<()> {
    // The keeper waits for us and cleans up; without it nobody would.
    set_pdeathsig(Signal::SIGKILL).doing("tie the init process to its keeper")?;
    if std::process::id() != 1 {
        return Err(LabError::Init("must be the first process of a pid namespace; use `lab up`".to_owned()));
    }
    mounts::prepare(paths)?;
    let supervisor = Arc::new(Supervisor::default());
    let reaper = Arc::clone(&supervisor);
    std::thread::spawn(move || reaper.reap_forever());
    let socket = paths.init_socket();
    if socket.exists() {
        std::fs::remove_file(&socket).at("remove the old", &socket)?;
    }
    let listener = UnixListener::bind(&socket).at("listen on", &socket)?;
    let busy = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = listener.accept().at("accept on", &socket)?;
        while busy.load(Ordering::Acquire) >= MAX_CONNECTIONS {
            std::thread::sleep(Duration::from_millis(10));
        }
        busy.fetch_add(1, Ordering::AcqRel);
        let (supervisor, served) = (Arc::clone(&supervisor), Served(Arc::clone(&busy)));
        std::thread::spawn(move || {
            answer(&stream, &supervisor);
            drop(served);
        });
    }
}

/// One request less when it is dropped, also by a panic.
struct Served(Arc<AtomicUsize>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn answer(stream: &UnixStream, supervisor: &Supervisor) {
    let response = match read_request(stream) {
        Ok(request) => act(request, supervisor),
        Err(message) => Response::Failed { message },
    };
    if let Ok(mut line) = serde_json::to_vec(&response) {
        line.push(b'\n');
        let mut writer = stream;
        // A caller that went away needs no answer.
        let _ = writer.write_all(&line);
    }
}

fn read_request(stream: &UnixStream) -> Result<Request, String> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line).map_err(|error| format!("unreadable: {error}"))?;
    serde_json::from_str(&line).map_err(|error| format!("not understood: {error}"))
}

fn act(request: Request, supervisor: &Supervisor) -> Response {
    let done = |result: Result<(), String>| match result {
        Ok(()) => Response::Done,
        Err(message) => Response::Failed { message },
    };
    match request {
        Request::Spawn { spec } => done(supervisor.spawn(&spec)),
        Request::Run { spec, timeout_ms } => match supervisor.run(&spec, Duration::from_millis(timeout_ms)) {
            Ok(exit) => Response::Exited { exit },
            Err(message) => Response::Failed { message },
        },
        Request::Stop { name, grace_ms } => done(supervisor.stop(&name, Duration::from_millis(grace_ms))),
        Request::List => Response::Processes { processes: supervisor.list() },
    }
}
