//! GoTo's errors by what has to be done about them.

use serde::Deserialize;

use crate::market::MarketError;
use crate::market::answer::{Answer, Complaint};
use crate::market::censor::censor;
use crate::market::http::Effect;

/// What an authorisation must allow for everything that is done here.
pub const SCOPES: [&str; 2] = ["voice-admin.v1.read", "voice-admin.v1.write"];

/// An error answer, as the reference of every GoTo API has it: <https://developer.goto.com/GoToConnect>.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "errorCode", default)]
    code: String,
    #[serde(default)]
    message: String,
}

fn problem(body: &[u8]) -> Option<Problem> {
    serde_json::from_slice::<Problem>(body).ok().filter(|problem| !problem.code.is_empty())
}

fn complaint(body: &[u8]) -> Complaint {
    let Some(Problem { code, message }) = problem(body) else { return Complaint::default() };
    Complaint { message: advised(&code, message), code: Some(code), forbidden: false }
}

/// Whether another access token would help. Nothing was done.
pub(super) fn wants_new_token(answer: &Answer) -> bool {
    answer.is_unauthorized()
        && problem(&answer.body)
            .is_some_and(|problem| matches!(problem.code.as_str(), "AUTHN_EXPIRED_TOKEN" | "AUTHN_INVALID_TOKEN"))
}

/// The answer, if it says success.
pub(super) fn judge(answer: Answer, effect: Effect) -> Result<Answer, MarketError> {
    let code = problem(&answer.body).filter(|_| answer.is_refusal()).map(|problem| problem.code);
    match code.as_deref() {
        // A new token did not help, or cannot: somebody has to authorise us again.
        Some("AUTHN_INVALID_TOKEN" | "AUTHN_EXPIRED_TOKEN" | "AUTHN_MALFORMED_TOKEN") => {
            Err(MarketError::Reauthorize { message: told(&answer) })
        }
        Some("AUTHZ_INSUFFICIENT_SCOPE") => {
            let scopes = SCOPES.join(" ");
            let message =
                format!("{}; authorise again, by an administrator and with the scopes {scopes}", told(&answer));
            Err(MarketError::Reauthorize { message })
        }
        Some("NO_PHONE_NUMBER_FOUND") => Err(MarketError::NoneForSale),
        Some("TOO_MANY_REQUESTS") => Err(MarketError::RateLimited { retry_after: answer.retry_after() }),
        // `UNKNOWN_ERROR` comes with 500; what it says about the outcome, the status says.
        _ => answer.success(effect, complaint),
    }
}

fn told(answer: &Answer) -> String {
    let Some(Problem { code, message }) = problem(&answer.body) else { return String::new() };
    let message = censor(&message);
    if message.is_empty() { censor(&code) } else { format!("{}: {message}", censor(&code)) }
}

/// What the user can do about it, where GoTo's words do not say.
fn advised(code: &str, message: String) -> String {
    let advice = match code {
        "INVALID_ACCOUNT_KEY" => "the account key is not one that was authorised: correct gotoConnect.accountKey",
        "INVALID_AREA_CODE" => "GoTo has no such area code: choose another one in spec.search.areaCode",
        "NOT_FOUND" => {
            "GoTo has nothing of this id: check gotoConnect.extensionId, and that the number is in the account"
        }
        _ => return message,
    };
    if message.is_empty() { advice.to_owned() } else { format!("{advice} ({message})") }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, RETRY_AFTER};

    use super::*;

    fn answer(status: u16, code: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let mut answer = Answer::new(StatusCode::from_u16(status).unwrap(), &headers);
        answer.body = format!(r#"{{"errorCode": "{code}", "message": "about +14045550100"}}"#).into();
        answer
    }

    /// All that the integration has to tell apart, with status and class when reading and when changing something.
    const ERRORS: [(u16, &str, &str, &str); 10] = [
        (401, "AUTHN_INVALID_TOKEN", "CarrierReauthorization", "CarrierReauthorization"),
        (401, "AUTHN_EXPIRED_TOKEN", "CarrierReauthorization", "CarrierReauthorization"),
        (401, "AUTHN_MALFORMED_TOKEN", "CarrierReauthorization", "CarrierReauthorization"),
        (403, "AUTHZ_INSUFFICIENT_SCOPE", "CarrierReauthorization", "CarrierReauthorization"),
        (404, "NOT_FOUND", "CarrierRefused", "CarrierRefused"),
        (400, "INVALID_ACCOUNT_KEY", "CarrierRefused", "CarrierRefused"),
        (400, "INVALID_AREA_CODE", "CarrierRefused", "CarrierRefused"),
        (400, "NO_PHONE_NUMBER_FOUND", "NoNumberForSale", "NoNumberForSale"),
        (429, "TOO_MANY_REQUESTS", "CarrierRateLimited", "CarrierRateLimited"),
        (500, "UNKNOWN_ERROR", "CarrierUnavailable", "CarrierOutcomeUnknown"),
    ];

    #[test]
    fn every_error_has_a_class() {
        for (status, code, reads, changes) in ERRORS {
            let reason = |effect| judge(answer(status, code), effect).unwrap_err().reason();
            assert_eq!((reason(Effect::Reads), reason(Effect::Changes)), (reads, changes), "{code}");
        }
        let limited = judge(answer(429, "TOO_MANY_REQUESTS"), Effect::Changes).unwrap_err();
        assert_eq!(limited.retry_after(), Some(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn two_errors_ask_for_a_new_token() {
        let asking: Vec<_> = ERRORS
            .iter()
            .filter(|(status, code, ..)| wants_new_token(&answer(*status, code)))
            .map(|row| row.1)
            .collect();
        assert_eq!(asking, ["AUTHN_INVALID_TOKEN", "AUTHN_EXPIRED_TOKEN"]);
    }

    #[test]
    fn a_user_learns_what_to_correct_and_no_number() {
        for (code, field) in [
            ("INVALID_ACCOUNT_KEY", "gotoConnect.accountKey"),
            ("INVALID_AREA_CODE", "spec.search.areaCode"),
            ("NOT_FOUND", "gotoConnect.extensionId"),
            ("AUTHZ_INSUFFICIENT_SCOPE", "voice-admin.v1.write"),
        ] {
            let status = ERRORS.iter().find(|row| row.1 == code).unwrap().0;
            let told = judge(answer(status, code), Effect::Changes).unwrap_err().to_string();
            assert!(told.contains(field) && !told.contains("5550100"), "{told}");
        }
    }

    #[test]
    fn an_answer_that_is_not_goto_s_goes_by_its_status() {
        let mut gateway = answer(503, "");
        gateway.body = b"<html>".to_vec();
        assert_eq!(judge(gateway, Effect::Changes).unwrap_err().reason(), "CarrierOutcomeUnknown");
    }
}
