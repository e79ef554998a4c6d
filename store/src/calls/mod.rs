//! Calls: creation, admission, ownership (lease and epoch), end, and reading them.

mod admit;
mod create;
mod end;
mod lease;
mod live;
mod read;
mod usage;

pub use admit::{Admission, Limit, Limits, admit};
pub use create::{NewCall, create};
pub use end::{answered, end, free_slot};
pub use lease::{Owner, Placement, hand_over, place, renew_leases, take};
pub use live::{LiveCall, find_live, find_live_by_room, find_live_by_sip_call_id, holding_slots, live};
pub use read::{Call, CallFilter, CallPage, Page, get, list};

use crate::text_enum::text_enum;

text_enum! {
    /// Where a call stands.
    CallStatus {
        /// Created, not admitted to a pod yet.
        Queued => "queued",
        /// A pod is joining; the caller hears ringing.
        Ringing => "ringing",
        /// Answered.
        InProgress => "in_progress",
        /// Ended after a conversation.
        Completed => "completed",
        /// Handed to a person or another number.
        Transferred => "transferred",
        /// Ended by an error of ours or of a provider.
        Failed => "failed",
        /// Never answered.
        NoAnswer => "no_answer",
        /// Refused because every line was taken.
        Busy => "busy",
        /// The caller hung up before the answer.
        Cancelled => "cancelled",
        /// Refused on purpose: suspended, paused, blocked.
        Rejected => "rejected",
    }
}

impl CallStatus {
    /// Whether a call with this status is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Ringing | Self::InProgress)
    }
}

text_enum! {
    /// Who called whom.
    Direction {
        /// They called us.
        Inbound => "inbound",
        /// We called them.
        Outbound => "outbound",
    }
}

/// What a ciphertext of a call's row is bound to.
fn number_place(call: crate::CallId) -> String {
    format!("call/{call}/number")
}

/// What a ciphertext of a call's row is bound to.
fn caller_place(call: crate::CallId) -> String {
    format!("call/{call}/caller")
}
