//! Progress for people: one line when something long starts, one while it lasts, one when it ends.

use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a long step says that it is still running.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Writes progress lines to standard error, stamped with the time since the command started.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    start: Instant,
}

impl Default for Report {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Report {
    /// Writes one line. A closed terminal is no reason to stop.
    pub fn line(&self, text: &str) {
        let seconds = self.start.elapsed().as_secs_f32();
        let _ = writeln!(std::io::stderr(), "[{seconds:6.1}s] {text}");
    }

    /// Announces a step and keeps saying that it runs until the returned value is finished or dropped.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let (what, report, start) = (what.into(), *self, Instant::now());
        self.line(&format!("{what} …"));
        let (done, ended) = channel::<()>();
        let label = what.clone();
        let heartbeat = std::thread::spawn(move || {
            while ended.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                report.line(&format!("{label} … {} s so far", start.elapsed().as_secs()));
            }
        });
        Step { what, report, start, done: Some(done), heartbeat: Some(heartbeat) }
    }
}

/// A step that is running.
#[derive(Debug)]
pub struct Step {
    what: String,
    report: Report,
    start: Instant,
    done: Option<Sender<()>>,
    heartbeat: Option<JoinHandle<()>>,
}

impl Step {
    /// Says that the step ended well.
    pub fn done(self, result: &str) {
        let seconds = self.start.elapsed().as_secs_f32();
        self.report.line(&format!("{}: {result} ({seconds:.1} s)", self.what));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(thread) = self.heartbeat.take() {
            // The thread ends as soon as its channel closes; a panic in it would concern only the progress lines.
            let _ = thread.join();
        }
    }
}
