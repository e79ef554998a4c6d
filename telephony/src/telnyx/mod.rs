//! Telnyx: numbers through its REST API (v2), calls through a SIP connection.
//!
//! Numbers are ordered, and an order is pending before it succeeds or fails. Our [`Reference`] is the order's
//! `customer_reference`. Calls go to the connection whose address is our SIP host.
//!
//! Requests and answers: <https://developers.telnyx.com/docs/numbers/phone-numbers/number-orders>, errors:
//! <https://developers.telnyx.com/development/api-fundamentals/api-errors>.

mod orders;
mod search;
mod voice;
mod wire;

use reqwest::{Method, RequestBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::e164::E164;
use crate::market::http::Effect;
use crate::market::{
    AvailableNumber, CredentialsError, Fallback, Http, MarketError, NumberMarket, NumberSearch, OrderState, Ordered,
    OwnedNumber, Reference, Route, endpoint, required,
};
use wire::{Data, Page, PhoneNumber, complaint};

/// Where calls come from: the primary and secondary address of each region. <https://sip.telnyx.com> is the list that
/// Telnyx's documentation names as current; taken from quotations in November 2026. A connection calls from the region chosen for it, by
/// default the USA. The page on failover (<https://developers.telnyx.com/docs/voice/sip-trunking/routing/failover-and-retries>)
/// gives other addresses for Europe, Canada and Australia: there, check the portal and set the connection's addresses.
pub const SIGNALLING: [&str; 10] = [
    "192.76.120.10", // USA
    "64.16.250.10",
    "192.76.120.31", // Canada
    "64.16.250.13",
    "185.246.41.140", // Europe
    "185.246.41.141",
    "103.115.244.145", // Australia
    "103.115.244.146",
    "185.246.42.128", // Middle East
    "185.246.42.129",
];

/// The host that takes the calls of its customers, in the USA:
/// <https://developers.telnyx.com/docs/voice/sip-trunking/routing/failover-and-retries>, which names the other regions', too.
pub const TERMINATION: &str = "sip.telnyx.com";
/// With a user name, calls from LiveKit need it here, too:
/// <https://developers.telnyx.com/docs/voice/sip-trunking/livekit-configuration-guide>.
pub const USERNAME_HEADER: &str = "X-Telnyx-Username";

const API: &str = "https://api.telnyx.com";
/// Pages of a list that are read; the filters leave one.
const MAX_PAGES: u32 = 20;

/// A Telnyx account.
#[derive(Debug, Clone)]
pub struct TelnyxMarket {
    http: Http,
    endpoint: Url,
    key: SecretString,
}

impl TelnyxMarket {
    /// See [`Market::from_secret`](crate::market::Market::from_secret).
    pub(crate) fn from_secret(http: Http, key: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        Ok(Self { http, endpoint: endpoint(&key, API)?, key: required(&key, "api-key")? })
    }

    fn request(&self, method: Method, segments: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v2").extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.client().request(method, url).bearer_auth(self.key.expose_secret())
    }

    async fn read<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        what: &str,
    ) -> Result<T, MarketError> {
        let answer = self.http.send(self.request(Method::GET, segments, query), Effect::Reads).await?;
        answer.success(Effect::Reads, complaint)?.json(what)
    }

    /// Everything in a list that a filter leaves.
    async fn list<T: DeserializeOwned>(&self, segments: &[&str], filter: (&str, &str)) -> Result<Vec<T>, MarketError> {
        let mut found = Vec::new();
        for number in 1..=MAX_PAGES {
            let page_number = number.to_string();
            let query = [filter, ("page[number]", page_number.as_str()), ("page[size]", "100")];
            let page: Page<T> = self.read(segments, &query, "the list").await?;
            found.extend(page.data);
            if number >= page.meta.total_pages {
                return Ok(found);
            }
        }
        Err(MarketError::Protocol { message: format!("the list has more than {MAX_PAGES} pages") })
    }

    /// <https://developers.telnyx.com/api-reference/phone-number-configurations/list-phone-numbers>
    async fn numbers(&self, filter: (&str, &str)) -> Result<Vec<OwnedNumber>, MarketError> {
        let found: Vec<PhoneNumber> = self.list(&["phone_numbers"], filter).await?;
        found.into_iter().filter(PhoneNumber::is_ours).map(PhoneNumber::owned).collect()
    }
}

impl NumberMarket for TelnyxMarket {
    /// <https://developers.telnyx.com/api-reference/phone-number-search/list-available-phone-numbers>
    async fn search(&self, wanted: &NumberSearch, limit: u32) -> Result<Vec<AvailableNumber>, MarketError> {
        search::run(self, wanted, limit).await
    }

    async fn order(&self, number: &E164, reference: &Reference) -> Result<Ordered, MarketError> {
        orders::create(self, number, reference).await
    }

    async fn order_state(&self, order_id: &str) -> Result<OrderState, MarketError> {
        orders::state(self, order_id).await
    }

    async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Ordered>, MarketError> {
        orders::by_reference(self, reference).await
    }

    /// The filter takes digits only, and parts of numbers, so what comes is compared.
    async fn find(&self, number: &E164) -> Result<Option<OwnedNumber>, MarketError> {
        let digits = number.as_str().trim_start_matches('+');
        let found = self.numbers(("filter[phone_number]", digits)).await?;
        Ok(found.into_iter().find(|owned| owned.number == *number))
    }

    /// Numbers that carry the reference, and those whose order does: the reference documents it on both, and does not
    /// promise that the order's becomes the number's.
    async fn find_by_reference(&self, reference: &Reference) -> Result<Vec<OwnedNumber>, MarketError> {
        let mut found = self.numbers(("filter[customer_reference]", reference.as_str())).await?;
        found.retain(|owned| owned.carries(reference));
        for owned in orders::delivered(self, reference).await? {
            if found.iter().all(|other| other.number != owned.number) {
                found.push(owned);
            }
        }
        Ok(found)
    }

    /// <https://developers.telnyx.com/api-reference/phone-number-configurations/update-a-phone-number>
    async fn route(&self, number: &OwnedNumber, route: &Route) -> Result<(), MarketError> {
        let request = self
            .request(Method::PATCH, &["phone_numbers", &number.carrier_id], &[])
            .json(&json!({ "connection_id": route.connection }));
        let answer = self.http.send(request, Effect::Changes).await?.success(Effect::Changes, complaint)?;
        if answer.json::<Data<PhoneNumber>>("the changed number")?.data.owned()?.is_routed(route) {
            Ok(())
        } else {
            Err(MarketError::Protocol { message: "the number does not have the connection it was given".to_owned() })
        }
    }

    async fn fallback(&self, number: &OwnedNumber) -> Result<Fallback, MarketError> {
        voice::fallback(self, number).await
    }

    async fn set_fallback(&self, number: &OwnedNumber, to: Option<&E164>) -> Result<(), MarketError> {
        voice::set_fallback(self, number, to).await
    }

    /// <https://developers.telnyx.com/api-reference/phone-number-configurations/delete-a-phone-number>
    async fn release(&self, number: &OwnedNumber) -> Result<(), MarketError> {
        let request = self.request(Method::DELETE, &["phone_numbers", &number.carrier_id], &[]);
        let answer = self.http.send(request, Effect::Changes).await?;
        if answer.is_not_found() {
            return Ok(());
        }
        answer.success(Effect::Changes, complaint).map(|_| ())
    }
}
