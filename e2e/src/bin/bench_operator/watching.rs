//! What a client of the API server sees of the agents: the only judge of when they are done.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use tokio::task::JoinHandle;
use voxplane_crds::{
    VoiceAgent,
    conditions::{self, types},
};

/// What is remembered of an agent.
#[derive(Clone, Debug)]
struct Seen {
    generation: i64,
    is_current: bool,
    reason: String,
}

#[derive(Debug, Default)]
struct State {
    agents: HashMap<(String, String), Seen>,
    current: usize,
    changes: u64,
    last_change: Option<Instant>,
}

/// A watch over all agents.
#[derive(Debug)]
pub struct Watching {
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watching {
    /// Begins to watch.
    pub fn start(client: Client) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let watched = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let events = watcher::watcher(Api::<VoiceAgent>::all(client), watcher::Config::default());
            let mut events = std::pin::pin!(events.default_backoff());
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::InitApply(agent)) => lock(&watched).note(&agent, false),
                    Ok(Event::Apply(agent)) => lock(&watched).note(&agent, true),
                    _ => {}
                }
            }
        });
        Self { state, task }
    }

    /// How many agents have a status for their present generation.
    pub fn current(&self) -> usize {
        lock(&self.state).current
    }

    /// Changes of agents, whoever made them, since the watch began.
    pub fn changes(&self) -> u64 {
        lock(&self.state).changes
    }

    /// When an agent last changed.
    pub fn last_change(&self) -> Option<Instant> {
        lock(&self.state).last_change
    }

    /// Waits until an agent has a status for this generation. False: not within `limit`.
    pub async fn caught_up(&self, namespace: &str, name: &str, generation: i64, limit: Duration) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        let started = Instant::now();
        while started.elapsed() < limit {
            let done = |seen: &Seen| seen.is_current && seen.generation >= generation;
            if lock(&self.state).agents.get(&key).is_some_and(done) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        false
    }

    /// How many agents in namespaces that begin with `prefix` are, or are not, Ready for `reason`.
    pub fn with_reason(&self, prefix: &str, reason: &str, is: bool) -> usize {
        let state = lock(&self.state);
        let within = state.agents.iter().filter(|((namespace, _), _)| namespace.starts_with(prefix));
        within.filter(|(_, seen)| (seen.reason == reason) == is).count()
    }
}

impl State {
    fn note(&mut self, agent: &VoiceAgent, is_change: bool) {
        let generation = agent.metadata.generation.unwrap_or_default();
        let status = agent.status.as_ref();
        let ready = status.and_then(|status| conditions::find(&status.conditions, types::READY));
        let seen = Seen {
            generation,
            is_current: status.and_then(|status| status.observed_generation) == Some(generation)
                && ready.and_then(|ready| ready.observed_generation) == Some(generation),
            reason: ready.map(|ready| ready.reason.clone()).unwrap_or_default(),
        };
        self.current += usize::from(seen.is_current);
        let before = self.agents.insert((agent.namespace().unwrap_or_default(), agent.name_any()), seen);
        self.current -= usize::from(before.is_some_and(|before| before.is_current));
        if is_change {
            self.changes += 1;
            self.last_change = Some(Instant::now());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
