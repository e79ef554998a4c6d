//! One call: a task tree around the engine. The engine decides; everything in here pumps.
//!
//! | file | job |
//! | --- | --- |
//! | `settings` | the API's `CallConfig` → the engine's configuration and the call's providers |
//! | `flow` | the API's `Flow` → the engine's |
//! | `driver` | the loop: what happened → engine → what is to be done |
//! | `intake`, `outputs` | its two directions |
//! | `ears` | received packets → voice probabilities and the recogniser |
//! | `mouth` | text → synthesis → paced speech, and what of it was sent |
//! | `mind` | retrieval and generation |
//! | `hands` | tools in use |
//! | `people` | who is in the room |
//! | `hang_up` | removing the caller's leg |
//! | `ledger` | events on their way to the API |

mod driver;
mod ears;
mod flow;
mod hands;
mod hang_up;
mod intake;
mod ledger;
mod mind;
mod mouth;
mod outputs;
mod people;
mod settings;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use voxplane_control::v1::{Command, Durability};

use self::driver::Driver;
use self::hang_up::HangUp;
use self::ledger::Ledger;
pub use self::settings::{Call, Refusal, prepare};
use crate::control_client::{Knowledge, Outgoing};
use crate::metrics::Metrics;
use crate::providers::Registry;
use crate::spool::Spool;
use crate::tools::ToolClient;

/// What all calls of the process share.
pub struct Deps {
    /// The providers of this image.
    pub registry: Registry,
    /// The tenant's knowledge.
    pub knowledge: Knowledge,
    /// How tools reach the tenant's services.
    pub tools: ToolClient,
    /// Where events go.
    pub spool: Arc<Spool>,
    /// What is counted.
    pub metrics: Metrics,
}

/// What others want of a call.
#[derive(Debug)]
pub enum Message {
    /// Do this.
    Command(Command),
    /// Somebody else has the call.
    LeaseLost,
    /// Be over by then.
    Drain {
        /// Latest end.
        finish_by: Instant,
    },
}

impl Message {
    /// What it is, without its content: fit for logs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::LeaseLost => "lease_lost",
            Self::Drain { .. } => "drain",
        }
    }
}

/// Runs a call to its end and returns why it ended. A bug in here ends this call and no other.
pub async fn run(call: Call, deps: Arc<Deps>, outgoing: Outgoing, inbox: mpsc::Receiver<Message>) -> &'static str {
    let active = deps.metrics.call_started();
    let ledger = Ledger::new(deps.spool.clone(), call.key.clone());
    let call_id = call.key.call_id.clone();
    let hang_up = HangUp::new(call_id.clone(), &call.access);
    let caller = call.caller.participant_identity.clone();
    tracing::info!(call.id = call_id, epoch = call.key.epoch, "call taken");
    let driver = Driver::new(call, &deps, ledger.clone(), hang_up.clone(), outgoing);
    let outcome = AssertUnwindSafe(Box::pin(driver.run(inbox))).catch_unwind().await;
    let reason = match outcome {
        Ok(reason) => reason.as_str(),
        Err(_) => {
            // The panic hook has printed where. The caller must not be left in a silent room.
            tracing::error!(call.id = call_id, "a bug ended the call");
            ledger.record("call.ended", Durability::Soon, r#"{"reason":"error"}"#.to_owned());
            hang_up.remove(vec![caller]).await;
            "error"
        }
    };
    tracing::info!(call.id = call_id, reason, "call over");
    active.finished(reason);
    reason
}
