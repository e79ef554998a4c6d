//! Takes a step: the only place that talks to a carrier about a fallback.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use voxplane_crds::phone_number::{FallbackState, FallbackStatus};
use voxplane_platform::error_chain::{ErrorChain, describe};
use voxplane_telephony::E164;
use voxplane_telephony::market::{Fallback, MarketError, NumberMarket, OwnedNumber};

use super::decide::Step;
use super::memory::Memory;
use crate::phone_number::purchase::learn::{backoff, reason};
use crate::status::Problem;

/// Longest text of a carrier that is kept.
const LONGEST_MESSAGE: usize = 500;

/// Takes steps for one number.
#[derive(Debug)]
pub struct Actor<'a, M> {
    /// The account.
    pub market: &'a M,
    /// The number in it.
    pub number: &'a OwnedNumber,
    /// Name of the carrier connection.
    pub carrier: &'a str,
    /// The time of the pass.
    pub now: Timestamp,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the carrier was told, or is being told.
    pub told: Option<FallbackStatus>,
    /// What is remembered.
    pub memory: Memory,
}

impl<M: NumberMarket> Actor<'_, M> {
    /// Takes a step. `told`: what the status says now.
    pub async fn act(&self, step: Step, told: Option<FallbackStatus>, before: Memory) -> Outcome {
        let done = |told| Outcome { told, memory: Memory::well(self.now) };
        match step {
            Step::Set(to) => match self.market.set_fallback(self.number, Some(&to)).await {
                Ok(()) => done(Some(self.set(&to))),
                Err(error) => self.failed("the carrier is being told the fallback number", &error, told, &before),
            },
            Step::Check(to) => match self.market.fallback(self.number).await {
                Ok(found) if found.is(Some(&to)) => done(told),
                Ok(_) => {
                    tracing::info!(carrier = self.carrier, "a fallback is not as it was set; it is set again");
                    match self.market.set_fallback(self.number, Some(&to)).await {
                        Ok(()) => done(Some(self.set(&to))),
                        Err(error) => {
                            self.failed("the carrier is being told the fallback number again", &error, told, &before)
                        }
                    }
                }
                // What the carrier was told, it may well still have: whoever cannot look has nothing to complain of.
                Err(error) => {
                    tracing::debug!(error = %ErrorChain(&error), carrier = self.carrier, "cannot look at a fallback");
                    let outcome = self.failed("the fallback number is being looked at", &error, told, &before);
                    let problem = outcome.memory.problem.filter(|_| !passes_by_itself(&error));
                    Outcome { memory: Memory { problem, ..outcome.memory }, ..outcome }
                }
            },
            Step::Remove(noted) => match self.remove(&noted).await {
                Ok(()) => done(None),
                Err(error) => self.failed("the fallback number is being taken away", &error, told, &before),
            },
            Step::Rest | Step::Note(_) | Step::Wait(_) | Step::Forget => Outcome { told, memory: before },
        }
    }

    /// What somebody has set instead of ours meanwhile is theirs.
    async fn remove(&self, noted: &FallbackStatus) -> Result<(), MarketError> {
        match self.market.fallback(self.number).await? {
            Fallback::To(number) if number.as_str() == noted.number => {
                self.market.set_fallback(self.number, None).await
            }
            _ => Ok(()),
        }
    }

    fn set(&self, to: &E164) -> FallbackStatus {
        let number = to.as_str().to_owned();
        FallbackStatus { number, carrier: self.carrier.to_owned(), state: FallbackState::Set }
    }

    fn failed(&self, doing: &str, error: &MarketError, told: Option<FallbackStatus>, before: &Memory) -> Outcome {
        let asked = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok()).unwrap_or_default();
        let wait = backoff(before.failures).max(asked);
        let words: String = describe(error).chars().take(LONGEST_MESSAGE).collect();
        let memory = Memory {
            not_before: self.now.checked_add(wait).ok(),
            failures: before.failures.saturating_add(1),
            problem: Some(Problem::new(reason(error), format!("{doing}: {words}"))),
        };
        Outcome { told, memory }
    }
}

const fn passes_by_itself(error: &MarketError) -> bool {
    matches!(
        error,
        MarketError::RateLimited { .. }
            | MarketError::Unavailable { .. }
            | MarketError::OutcomeUnknown { .. }
            | MarketError::Protocol { .. }
    )
}
