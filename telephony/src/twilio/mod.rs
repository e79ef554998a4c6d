//! Twilio: numbers through its REST API, calls through its Elastic SIP Trunking.
//!
//! Numbers are bought and delivered in one request. Our [`Reference`] is the number's `FriendlyName`. Calls go to the
//! trunk (`TK…`) whose origination URI is our SIP host.
//!
//! Requests and answers: <https://www.twilio.com/docs/usage/requests-to-twilio>,
//! <https://www.twilio.com/docs/usage/twilios-response>.

mod search;
mod wire;

use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use crate::e164::E164;
use crate::market::http::Effect;
use crate::market::{
    AvailableNumber, CredentialsError, Http, MarketError, NumberMarket, NumberSearch, OrderState, Ordered, OwnedNumber,
    Reference, Route, endpoint, required,
};
use wire::{IncomingNumber, IncomingPage, complaint};

/// Where calls of Elastic SIP Trunking come from: the regional signalling gateways, all of which must be let in because
/// calls move between them. <https://www.twilio.com/docs/sip-trunking/ip-addresses>; taken
/// from quotations of that page in November 2026, to be compared with it before it is relied on.
pub const SIGNALLING: [&str; 8] = [
    "54.172.60.0/30",    // North America, Virginia
    "54.244.51.0/30",    // North America, Oregon
    "54.171.127.192/30", // Europe, Ireland
    "35.156.191.128/30", // Europe, Frankfurt
    "54.65.63.192/30",   // Asia Pacific, Tokyo
    "54.169.127.128/30", // Asia Pacific, Singapore
    "54.252.254.64/30",  // Asia Pacific, Sydney
    "177.71.206.192/30", // South America, São Paulo
];

const API: &str = "https://api.twilio.com";
/// Error 21422: the number is not for sale, or somebody has it. <https://www.twilio.com/docs/errors/21422>.
const NOT_AVAILABLE: &str = "21422";
/// Pages of a list that are read; the filters leave one.
const MAX_PAGES: usize = 20;

/// A Twilio account.
#[derive(Debug, Clone)]
pub struct TwilioMarket {
    http: Http,
    endpoint: Url,
    account: String,
    user: String,
    password: SecretString,
}

impl TwilioMarket {
    /// See [`Market::from_secret`](crate::market::Market::from_secret). An API key is preferred: it can be revoked alone.
    pub(crate) fn from_secret(http: Http, key: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        let account = required(&key, "account-sid")?.expose_secret().to_owned();
        let digits = account.strip_prefix("AC").unwrap_or_default();
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CredentialsError::Form { key: "account-sid", form: "AC and 32 hexadecimal digits" });
        }
        let (user, password) = match key("api-key") {
            Some(user) => (user, required(&key, "api-secret")?),
            None => (account.clone(), required(&key, "auth-token")?),
        };
        Ok(Self { http, endpoint: endpoint(&key, API)?, account, user, password })
    }

    /// `…/2010-04-01/Accounts/{account}/` and these segments, with a query.
    fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["2010-04-01", "Accounts", self.account.as_str()]).extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.user, Some(self.password.expose_secret()))
    }

    fn get(&self, url: Url) -> RequestBuilder {
        self.signed(self.http.client().get(url))
    }

    fn post(&self, segments: &[&str], form: &[(&str, &str)]) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.signed(self.http.client().post(self.url(segments, &[])))
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
    }

    /// Numbers of the account that a filter leaves.
    /// <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource#read-multiple-incomingphonenumber-resources>
    async fn list(&self, filter: (&str, &str)) -> Result<Vec<OwnedNumber>, MarketError> {
        let mut url = self.url(&["IncomingPhoneNumbers.json"], &[filter, ("PageSize", "100")]);
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let answer = self.http.send(self.get(url.clone()), Effect::Reads).await?;
            let page: IncomingPage = answer.success(Effect::Reads, complaint)?.json("the list of numbers")?;
            for number in page.incoming_phone_numbers {
                found.push(number.owned()?);
            }
            // Only the query is taken over: the key goes nowhere but to our endpoint.
            match page.next_page_uri.as_deref().filter(|uri| !uri.is_empty()) {
                None => return Ok(found),
                Some(uri) => url.set_query(Some(uri.split_once('?').map_or("", |(_, query)| query))),
            }
        }
        Err(MarketError::Protocol { message: format!("the list of numbers has more than {MAX_PAGES} pages") })
    }
}

impl NumberMarket for TwilioMarket {
    /// <https://www.twilio.com/docs/phone-numbers/api/availablephonenumberlocal-resource>
    async fn search(&self, wanted: &NumberSearch, limit: u32) -> Result<Vec<AvailableNumber>, MarketError> {
        search::run(self, wanted, limit).await
    }

    /// <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource#create-an-incomingphonenumber-resource>
    async fn order(&self, number: &E164, reference: &Reference) -> Result<Ordered, MarketError> {
        let form = [("PhoneNumber", number.as_str()), ("FriendlyName", reference.as_str())];
        let request = self.post(&["IncomingPhoneNumbers.json"], &form);
        let answer = self.http.send(request, Effect::Changes).await?;
        let bought = match answer.success(Effect::Changes, complaint) {
            Ok(answer) => answer.json::<IncomingNumber>("the bought number")?.owned()?,
            Err(MarketError::Refused { code: Some(code), .. }) if code == NOT_AVAILABLE => {
                return Err(MarketError::Taken { number: number.clone() });
            }
            Err(error) => return Err(error),
        };
        if bought.number != *number {
            return Err(MarketError::Protocol { message: "another number than the ordered one was bought".to_owned() });
        }
        Ok(Ordered::Done(bought))
    }

    async fn order_state(&self, _order_id: &str) -> Result<OrderState, MarketError> {
        let message = "Twilio delivers at once and keeps no orders".to_owned();
        Err(MarketError::Refused { status: 404, code: None, message })
    }

    async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Ordered>, MarketError> {
        Ok(self.find_by_reference(reference).await?.into_iter().next().map(Ordered::Done))
    }

    /// The filter takes parts of numbers, so what comes is compared.
    async fn find(&self, number: &E164) -> Result<Option<OwnedNumber>, MarketError> {
        let found = self.list(("PhoneNumber", number.as_str())).await?;
        Ok(found.into_iter().find(|owned| owned.number == *number))
    }

    async fn find_by_reference(&self, reference: &Reference) -> Result<Vec<OwnedNumber>, MarketError> {
        let mut found = self.list(("FriendlyName", reference.as_str())).await?;
        found.retain(|owned| owned.carries(reference));
        Ok(found)
    }

    /// Setting `TrunkSid` replaces whatever handled calls before.
    /// <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource#update-an-incomingphonenumber-resource>
    async fn route(&self, number: &OwnedNumber, route: &Route) -> Result<(), MarketError> {
        let resource = format!("{}.json", number.carrier_id);
        let request = self.post(&["IncomingPhoneNumbers", &resource], &[("TrunkSid", &route.connection)]);
        let answer = self.http.send(request, Effect::Changes).await?.success(Effect::Changes, complaint)?;
        if answer.json::<IncomingNumber>("the changed number")?.owned()?.is_routed(route) {
            Ok(())
        } else {
            Err(MarketError::Protocol { message: "the number does not have the trunk it was given".to_owned() })
        }
    }

    /// <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource#delete-an-incomingphonenumber-resource>
    async fn release(&self, number: &OwnedNumber) -> Result<(), MarketError> {
        let resource = format!("{}.json", number.carrier_id);
        let url = self.url(&["IncomingPhoneNumbers", &resource], &[]);
        let request = self.signed(self.http.client().delete(url));
        let answer = self.http.send(request, Effect::Changes).await?;
        if answer.is_not_found() {
            return Ok(());
        }
        answer.success(Effect::Changes, complaint).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_path_stays_in_front() {
        for endpoint in ["http://proxy:8080/twilio", "http://proxy:8080/twilio/"] {
            let market = TwilioMarket {
                http: Http::new(Http::TIMEOUT).unwrap(),
                endpoint: endpoint.parse().unwrap(),
                account: "AC1".to_owned(),
                user: "SK1".to_owned(),
                password: "secret".into(),
            };
            let url = market.url(&["IncomingPhoneNumbers.json"], &[("PhoneNumber", "+14045550100")]);
            let path = "/twilio/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json";
            assert_eq!(url.as_str(), format!("http://proxy:8080{path}?PhoneNumber=%2B14045550100"));
        }
    }
}
