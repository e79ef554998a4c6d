//! The next step towards a fallback. Pure.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use voxplane_crds::phone_number::{FallbackState, FallbackStatus};
use voxplane_telephony::E164;

use super::memory::Memory;

/// What decides.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Name of the carrier connection.
    pub carrier: &'a str,
    /// Whether its carrier can be told anything.
    pub possible: bool,
    /// Where calls are to go.
    pub wanted: Option<&'a E164>,
    /// What a carrier was told, or is being told.
    pub told: Option<&'a FallbackStatus>,
    /// What is remembered of it.
    pub memory: Memory,
    /// The time of the pass.
    pub now: Timestamp,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Write into the status what the carrier is going to be told.
    Note(FallbackStatus),
    /// Nothing before this time is over.
    Wait(Duration),
    /// Tell the carrier.
    Set(E164),
    /// Look whether the carrier still has it, and tell it again if not.
    Check(E164),
    /// Take away what the carrier was told.
    Remove(FallbackStatus),
    /// What was told was told to a carrier that has no part in the number any more: it stays there, as the routing does.
    Forget,
}

/// Decides.
#[must_use]
pub fn next(view: &View<'_>) -> Step {
    let told = view.told.filter(|told| told.carrier == view.carrier && view.possible);
    match (view.wanted, told) {
        (Some(wanted), Some(told)) if told.number == wanted.as_str() => match told.state {
            FallbackState::Setting => view.after_failure().unwrap_or_else(|| Step::Set(wanted.clone())),
            FallbackState::Set => match view.memory.wait(view.now) {
                Some(wait) => Step::Wait(wait),
                None => Step::Check(wanted.clone()),
            },
        },
        (Some(wanted), _) => Step::Note(FallbackStatus {
            number: wanted.as_str().to_owned(),
            carrier: view.carrier.to_owned(),
            state: FallbackState::Setting,
        }),
        (None, None) if view.told.is_some() => Step::Forget,
        (None, None) => Step::Rest,
        (None, Some(told)) => view.after_failure().unwrap_or_else(|| Step::Remove(told.clone())),
    }
}

impl View<'_> {
    /// Waits, if the last try failed: when all is well, what is to be changed is changed at once.
    fn after_failure(&self) -> Option<Step> {
        self.memory.wait(self.now).filter(|_| self.memory.failures > 0).map(Step::Wait)
    }
}
