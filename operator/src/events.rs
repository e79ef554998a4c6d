//! Events that people see with `kubectl describe`.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use voxplane_crds::labels;
use voxplane_platform::error_chain::ErrorChain;

/// Longest note the API server accepts (`events.k8s.io/v1`).
const LONGEST_NOTE: usize = 1_000;

/// Publishes events. They are a courtesy: a failure is logged and changes nothing.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Publishes as the replica `instance`.
    #[must_use]
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter =
            Reporter { controller: labels::MANAGED_BY_OPERATOR.to_owned(), instance: Some(instance.to_owned()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Publishes an event about `regarding`.
    pub async fn publish(&self, regarding: ObjectReference, type_: EventType, reason: &str, message: &str) {
        let note: String = message.chars().take(LONGEST_NOTE).collect();
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: (!note.is_empty()).then_some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &regarding).await {
            // A namespace that is going takes no new events.
            tracing::debug!(error = %ErrorChain(&error), reason, "event not published");
        }
    }
}
