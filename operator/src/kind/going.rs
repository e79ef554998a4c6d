//! What is said about an object on its way out: what it waits for, or what failed. Pure.

use voxplane_crds::conditions::{Desired, reasons, types};
use voxplane_platform::error_chain::describe;

use super::Cleanup;
use crate::error::Error;

/// Of many objects, so many are named.
const NAMED: usize = 5;

/// `Ready` of an object whose clean-up is not done; none if there is nothing that lasts.
#[must_use]
pub fn said(outcome: &Result<Cleanup, Error>) -> Option<Desired> {
    let (reason, message) = match outcome {
        Ok(Cleanup::Done) => return None,
        Ok(Cleanup::Waiting { reason, message, .. }) => (*reason, message.clone()),
        Err(error) => failed(error)?,
    };
    Some(Desired::no(types::READY, reason, message))
}

/// Every failure is tried again, so what helps is to repair what failed; what the reason's entry in the registry says.
fn failed(error: &Error) -> Option<(&'static str, String)> {
    Some(match error {
        // Another writer was first: the next pass, a moment later, sees what it wrote.
        Error::Kubernetes { .. } if error.is_conflict() || error.is_not_found() => return None,
        Error::Kubernetes { .. } => (reasons::APPLY_FAILED, not_yet(&describe(error), "the API server does it")),
        // Without its cause, which may tell tenants where the database is.
        Error::Database(cause) => (reasons::DATABASE_UNAVAILABLE, database_away(&cause.to_string())),
        Error::DatabaseAway { reason } => (reasons::DATABASE_UNAVAILABLE, database_away(reason)),
        Error::LiveKit(cause) => {
            (reasons::LIVEKIT_ERROR, not_yet(&describe(cause), "LiveKit does it; until then calls may still come"))
        }
        Error::TooLong { .. } | Error::Incomplete { .. } => {
            (reasons::TERMINATING, not_yet(&error.to_string(), "it succeeds; the operator's log says more"))
        }
    })
}

/// Others must go first; their own statuses say what they wait for.
pub fn waiting_for_all(what: &str, names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    let more = names.len().saturating_sub(NAMED);
    let named = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("waiting for its {what} to go, whose statuses say what keeps them: {named}{more}")
}

/// Nothing is noted as deleted that the database did not hear of.
fn database_away(why: &str) -> String {
    not_yet(why, "the database answers, which must note that the object is gone")
}

fn not_yet(why: &str, until: &str) -> String {
    format!("cannot be removed yet: {why}; tried again until {until}")
}

#[cfg(test)]
mod tests {
    use voxplane_store::StoreError;

    use super::*;
    use crate::livekit::LiveKitError;

    fn of(error: Error) -> Option<(&'static str, String)> {
        said(&Err(error)).map(|desired| (desired.reason, desired.message))
    }

    fn answered(code: u16, reason: &str) -> Error {
        let status = serde_json::json!({
            "status": "Failure", "code": code, "reason": reason, "message": "admission webhook \"policy\" denied the request",
        });
        Error::kubernetes("delete Namespace vx-a")(kube::Error::Api(serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn every_failure_that_lasts_has_a_reason_and_says_what_it_needs() {
        let refused =
            LiveKitError::Refused { action: "delete an inbound trunk", message: "the key has no rights".to_owned() };
        let cases = [
            (answered(403, "Forbidden"), reasons::APPLY_FAILED, "cannot delete Namespace vx-a"),
            (answered(403, "Forbidden"), reasons::APPLY_FAILED, "denied the request"),
            (
                Error::LiveKit(refused),
                reasons::LIVEKIT_ERROR,
                "the key has no rights; tried again until LiveKit does it",
            ),
            (
                Error::DatabaseAway { reason: "it is starting".to_owned() },
                reasons::DATABASE_UNAVAILABLE,
                "it is starting",
            ),
            (
                Error::Database(StoreError::NotFound { what: "resource" }),
                reasons::DATABASE_UNAVAILABLE,
                "tried again until the database answers",
            ),
            (Error::TooLong { seconds: 60 }, reasons::TERMINATING, "longer than 60 s"),
        ];
        for (error, reason, part) in cases {
            let (found, message) = of(error).unwrap();
            assert_eq!(found, reason, "{message}");
            assert!(message.starts_with("cannot be removed yet: ") && message.contains(part), "{message}");
        }
        assert_eq!(of(answered(409, "Conflict")), None, "over in a moment");
    }

    #[test]
    fn of_many_objects_some_are_named() {
        let names = |count: usize| (1..=count).map(|number| format!("n{number}"));
        let said = |count| waiting_for_all("voice agents", names(count));
        assert!(said(2).ends_with("its voice agents to go, whose statuses say what keeps them: n1, n2"), "{}", said(2));
        assert!(said(12).ends_with("n4, n5 and 7 more"), "{}", said(12));
    }

    #[test]
    fn what_is_waited_for_is_said_and_done_says_nothing() {
        assert_eq!(said(&Ok(Cleanup::Done)), None);
        let waiting = said(&Ok(Cleanup::waiting_for(reasons::DRAINING, "waiting for 2 calls to end"))).unwrap();
        assert_eq!((waiting.reason, waiting.message.as_str()), (reasons::DRAINING, "waiting for 2 calls to end"));
    }
}
