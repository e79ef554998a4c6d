//! What goes wrong on demand.

use serde::{Deserialize, Serialize};

/// One request fails in one way, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The method, `POST`.
    pub method: String,
    /// A part of the path, `/IncomingPhoneNumbers`.
    pub path: String,
    /// Which of the matching requests, counted from 1 since the fault was set.
    #[serde(default = "first")]
    pub nth: u32,
    /// How.
    pub act: Act,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Act {
    /// Not carried out; an error in the carrier's form.
    Answer {
        /// HTTP status.
        status: u16,
        /// Seconds of `Retry-After`.
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// Not carried out and never answered.
    Hang,
    /// Not carried out; the connection is cut.
    Cut,
    /// Carried out and never answered.
    HangAfter,
    /// Carried out; the connection is cut before the first byte of the answer.
    CutAfter,
    /// Carried out; an error in the carrier's form.
    AnswerAfter {
        /// HTTP status.
        status: u16,
    },
    /// Carried out; the connection is cut in the middle of the content.
    TruncateAfter,
    /// Carried out; the content is not what it should be.
    MalformedAfter,
}

const fn first() -> u32 {
    1
}

impl Fault {
    /// The next request of this method whose path contains `path`.
    #[must_use]
    pub fn on(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), nth: 1, act: Act::Cut }
    }

    /// The `nth` of them, from 1.
    #[must_use]
    pub const fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// See [`Act`].
    #[must_use]
    pub const fn act(mut self, act: Act) -> Self {
        self.act = act;
        self
    }

    /// [`Act::Answer`].
    #[must_use]
    pub const fn answer(self, status: u16) -> Self {
        self.act(Act::Answer { status, retry_after: None })
    }

    /// [`Act::Answer`] with 429 and `Retry-After`.
    #[must_use]
    pub const fn slow_down(self, seconds: u32) -> Self {
        self.act(Act::Answer { status: 429, retry_after: Some(seconds) })
    }

    /// [`Act::Hang`].
    #[must_use]
    pub const fn hang(self) -> Self {
        self.act(Act::Hang)
    }

    /// [`Act::Cut`].
    #[must_use]
    pub const fn cut(self) -> Self {
        self.act(Act::Cut)
    }

    /// [`Act::HangAfter`].
    #[must_use]
    pub const fn hang_after(self) -> Self {
        self.act(Act::HangAfter)
    }

    /// [`Act::CutAfter`].
    #[must_use]
    pub const fn cut_after(self) -> Self {
        self.act(Act::CutAfter)
    }

    /// [`Act::AnswerAfter`].
    #[must_use]
    pub const fn answer_after(self, status: u16) -> Self {
        self.act(Act::AnswerAfter { status })
    }

    /// [`Act::TruncateAfter`].
    #[must_use]
    pub const fn truncate_after(self) -> Self {
        self.act(Act::TruncateAfter)
    }

    /// [`Act::MalformedAfter`].
    #[must_use]
    pub const fn malformed_after(self) -> Self {
        self.act(Act::MalformedAfter)
    }
}

/// What the faults that are set do to a request.
pub(crate) fn strike(faults: &mut Vec<Fault>, method: &str, path: &str) -> Option<Act> {
    let mut struck = None;
    faults.retain_mut(|fault| {
        if fault.method != method || !path.contains(&fault.path) {
            return true;
        }
        if fault.nth > 1 {
            fault.nth -= 1;
            return true;
        }
        if struck.is_some() {
            return true;
        }
        struck = Some(fault.act);
        false
    });
    struck
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_matching_request_is_struck_once() {
        let mut faults = vec![Fault::on("POST", "/orders").nth(2).answer(500), Fault::on("GET", "/orders").hang()];
        assert_eq!(strike(&mut faults, "POST", "/other"), None);
        assert_eq!(strike(&mut faults, "POST", "/v2/orders"), None);
        assert_eq!(strike(&mut faults, "POST", "/v2/orders"), Some(Act::Answer { status: 500, retry_after: None }));
        assert_eq!(strike(&mut faults, "POST", "/v2/orders"), None);
        assert_eq!(strike(&mut faults, "GET", "/v2/orders"), Some(Act::Hang));
        assert!(faults.is_empty());
    }

    #[test]
    fn faults_can_be_written_by_hand() {
        let fault: Fault = serde_json::from_str(
            r#"{"method": "POST", "path": "/x", "act": {"answer": {"status": 429, "retryAfter": 2}}}"#,
        )
        .unwrap();
        assert_eq!(fault, Fault::on("POST", "/x").slow_down(2));
        let fault: Fault =
            serde_json::from_str(r#"{"method": "POST", "path": "/x", "nth": 3, "act": "cutAfter"}"#).unwrap();
        assert_eq!(fault, Fault::on("POST", "/x").nth(3).cut_after());
    }
}
