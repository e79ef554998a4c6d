//! Stopping: signals become a [`CancellationToken`], and every spawned task has an owner that waits for it.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error_chain::ErrorChain;

/// Exit status after a second signal: 128 + SIGINT, as shells report an interrupted program.
const EXIT_INTERRUPTED: i32 = 130;

/// Returns a token that SIGTERM or SIGINT cancels. A second signal exits the process at once.
///
/// Call it once, inside the runtime, before anything is spawned.
///
/// # Errors
/// The operating system's, when a signal handler cannot be installed.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancel = token.clone();
    // Lives as long as the process on purpose: the second signal may come at any time during shutdown.
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "stopping; a second signal exits at once");
        cancel.cancel();
        let name = next().await;
        tracing::warn!(signal = name, "second signal: exiting without waiting");
        std::process::exit(EXIT_INTERRUPTED);
    });
    Ok(token)
}

/// Owns the long-running tasks of a process.
///
/// Tasks are told to stop through [`Tasks::token`]; [`Tasks::stop`] waits for them, and names and aborts those that
/// did not finish in time. Clones share the same tasks.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    tasks: BTreeMap<u64, (&'static str, Option<AbortHandle>)>,
}

/// Tasks that were still running when the time to stop was over. They were aborted.
#[derive(Debug, thiserror::Error)]
#[error("still running after {grace:?}: {}", tasks.join(", "))]
pub struct Unfinished {
    /// How long they were given.
    pub grace: Duration,
    /// Their names, in the order in which they were started.
    pub tasks: Vec<&'static str>,
}

impl Tasks {
    /// An owner whose tasks stop when `token` is cancelled.
    #[must_use]
    pub fn new(token: CancellationToken) -> Self {
        Self { tracker: TaskTracker::new(), token, running: Arc::default() }
    }

    /// Cancelled when the process should stop.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Spawns a task whose end, even its panic, concerns nobody else (one connection, one call).
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, false, async move {
            task.await;
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// Spawns a task the process cannot work without: its error, panic or early end stops the whole process.
    pub fn spawn_critical<E>(&self, name: &'static str, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Error + Send + 'static,
    {
        self.start(name, true, task);
    }

    fn start<E>(&self, name: &'static str, critical: bool, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Error + Send + 'static,
    {
        // The entry exists before the task can end, and the handle is added only while it does.
        let id = {
            let mut running = self.running();
            let id = running.next;
            running.next += 1;
            running.tasks.insert(id, (name, None));
            id
        };
        let mut guard = Guard { tasks: self.clone(), id, name, critical, returned: false };
        let handle = self.tracker.spawn(async move {
            let outcome = task.await;
            guard.returned = true;
            guard.judge(outcome);
        });
        if let Some(entry) = self.running().tasks.get_mut(&id) {
            entry.1 = Some(handle.abort_handle());
        }
    }

    /// Cancels the token and waits for every task.
    ///
    /// # Errors
    /// [`Unfinished`] names the tasks that did not end within `grace`; they have been aborted.
    pub async fn stop(&self, grace: Duration) -> Result<(), Unfinished> {
        self.token.cancel();
        self.wait(grace).await
    }

    /// Waits for every task without telling them to stop (they know, or end by themselves).
    ///
    /// # Errors
    /// [`Unfinished`] names the tasks that did not end within `grace`; they have been aborted.
    pub async fn wait(&self, grace: Duration) -> Result<(), Unfinished> {
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        let left: Vec<_> = self.running().tasks.values().cloned().collect();
        for (_, handle) in &left {
            if let Some(handle) = handle {
                handle.abort();
            }
        }
        Err(Unfinished { grace, tasks: left.into_iter().map(|(name, _)| name).collect() })
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lives inside a task: takes it off the list however it ends, and notices a panic.
struct Guard {
    tasks: Tasks,
    id: u64,
    name: &'static str,
    critical: bool,
    returned: bool,
}

impl Guard {
    fn judge<E: Error + 'static>(&self, outcome: Result<(), E>) {
        let stopping = self.tasks.token.is_cancelled();
        match outcome {
            Err(error) => {
                tracing::error!(task = self.name, error = %ErrorChain(&error), "task failed");
                if self.critical {
                    self.tasks.token.cancel();
                }
            }
            Ok(()) if self.critical && !stopping => {
                tracing::error!(task = self.name, "task ended although the process is not stopping; stopping it");
                self.tasks.token.cancel();
            }
            Ok(()) => {}
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tasks.running().tasks.remove(&self.id);
        if !self.returned && std::thread::panicking() {
            tracing::error!(task = self.name, "task panicked");
            if self.critical {
                self.tasks.token.cancel();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Tasks {
        Tasks::new(CancellationToken::new())
    }

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn stopping_waits_for_tasks_that_finish_their_work() {
        let tasks = tasks();
        let (done, mut result) = tokio::sync::mpsc::channel(1);
        let token = tasks.token().clone();
        tasks.spawn("worker", async move {
            token.cancelled().await;
            done.send("flushed").await.unwrap();
        });
        tasks.stop(SOON).await.unwrap();
        assert_eq!(result.recv().await, Some("flushed"));
    }

    #[tokio::test]
    async fn a_task_that_does_not_stop_is_named_and_aborted() {
        let tasks = tasks();
        tasks.spawn("stuck", std::future::pending());
        tasks.spawn("quick", async {});
        let error = tasks.stop(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.tasks, ["stuck"]);
        assert!(error.to_string().ends_with("stuck"), "{error}");
        tasks.wait(SOON).await.unwrap();
    }

    #[tokio::test]
    async fn the_failure_of_a_critical_task_stops_the_process() {
        let tasks = tasks();
        tasks.spawn_critical("server", async { Err(std::io::Error::other("port is taken")) });
        tokio::time::timeout(SOON, tasks.token().cancelled()).await.unwrap();
    }

    async fn broken_server() -> std::io::Result<()> {
        panic!("a bug in the server")
    }

    #[tokio::test]
    async fn the_panic_of_a_critical_task_stops_the_process_and_another_task_does_not() {
        let tasks = tasks();
        tasks.spawn("one call", async { panic!("a bug in one call") });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!tasks.token().is_cancelled());
        tasks.spawn_critical("server", broken_server());
        tokio::time::timeout(SOON, tasks.token().cancelled()).await.unwrap();
    }

    #[tokio::test]
    async fn the_early_end_of_a_critical_task_stops_the_process() {
        let tasks = tasks();
        tasks.spawn_critical("watch", async { Ok::<(), std::io::Error>(()) });
        tokio::time::timeout(SOON, tasks.token().cancelled()).await.unwrap();
    }
}
