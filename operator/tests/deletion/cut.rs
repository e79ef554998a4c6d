//! Ends a process at chosen effects: each write to the API server, to LiveKit and each commit is one.
//!
//! An effect is known by what it does, not by its number: passes run beside each other, so their order differs from run
//! to run, and after a crash some are done again. Each is cut at its first time, so a run of any order cuts them all.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// How an effect is cut off. Ending right before an effect is ending right after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It happens, and the process ends before it learns so.
    Ends,
    /// It happens, the process lives on and is told that it may have failed.
    AnswerLost,
}

/// Which effects are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// None.
    Whole,
    /// Every one, in the same way.
    Every(Cut),
    /// The one with this number among those that name one of `of`.
    Only { at: usize, of: &'static [&'static str] },
}

/// The effects of all lives of a process.
#[derive(Debug)]
pub struct Fuse {
    plan: Plan,
    /// Only effects that name one of these are cut off; empty: all. A process that begins does a hundred others, because it
    /// does not know yet that nothing is to be done.
    about: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was carried out, in this order; also what the test itself noted.
    done: Vec<String>,
    cut: BTreeSet<String>,
}

impl Fuse {
    pub fn new(plan: Plan) -> Arc<Self> {
        Self::about(plan, &[])
    }

    pub fn about(plan: Plan, words: &[&str]) -> Arc<Self> {
        let about = words.iter().map(|word| (*word).to_owned()).collect();
        Arc::new(Self { plan, about, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something that the test did, between the effects.
    pub fn note(&self, what: &str) {
        self.state().done.push(what.to_owned());
    }

    /// What was carried out, in this order.
    pub fn done(&self) -> Vec<String> {
        self.state().done.clone()
    }

    /// How many different effects were cut off.
    pub fn cuts(&self) -> usize {
        self.state().cut.len()
    }

    /// Notes an effect that was carried out, and says whether its process learns of it.
    fn carried_out(&self, effect: &str) -> Option<Cut> {
        let mut state = self.state();
        state.done.push(effect.to_owned());
        if !self.about.is_empty() && !self.about.iter().any(|word| effect.contains(word)) {
            return None;
        }
        let cut = match self.plan {
            Plan::Whole => return None,
            Plan::Only { at, of } => {
                let is_of = |effect: &str| of.iter().any(|word| effect.contains(word));
                let number = state.done.iter().filter(|effect| is_of(effect)).count();
                if !is_of(effect) || number.checked_sub(1) != Some(at) {
                    return None;
                }
                Cut::Ends
            }
            Plan::Every(cut) => cut,
        };
        state.cut.insert(effect.to_owned()).then_some(cut)
    }
}

/// One life of a process.
#[derive(Debug)]
pub struct Life {
    fuse: Arc<Fuse>,
    /// Cancelled when the process has ended.
    pub over: CancellationToken,
    /// One effect at a time: of two at once, one would be carried out with nobody to learn of it, and not be cut.
    turn: tokio::sync::Mutex<()>,
}

/// The answer to an effect does not reach the process.
#[derive(Debug, thiserror::Error)]
#[error("the connection ended before the answer came")]
pub struct Lost;

impl Life {
    pub fn begin(fuse: &Arc<Fuse>) -> Arc<Self> {
        Arc::new(Self { fuse: Arc::clone(fuse), over: CancellationToken::new(), turn: tokio::sync::Mutex::new(()) })
    }

    /// Carries out an effect, unless the process has ended. `effect` says whether something came of it: what was refused
    /// is none.
    pub async fn carry_out<T>(&self, name: &str, effect: impl Future<Output = (T, bool)>) -> Result<T, Lost> {
        let _turn = self.turn.lock().await;
        if self.over.is_cancelled() {
            return std::future::pending().await;
        }
        let (answer, happened) = effect.await;
        match happened.then(|| self.fuse.carried_out(name)).flatten() {
            None => Ok(answer),
            Some(Cut::AnswerLost) => Err(Lost),
            Some(Cut::Ends) => {
                self.over.cancel();
                std::future::pending().await
            }
        }
    }
}
