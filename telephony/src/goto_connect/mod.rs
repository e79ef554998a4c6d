//! GoTo Connect: numbers through its Voice Admin API, calls through a line that forwards them.
//!
//! Three things differ from the other carriers, and each has its reason in what GoTo offers:
//!
//! - An order names an **area code**. GoTo picks the number, and neither order nor number carries a mark of ours at that
//!   time. So a lost order is found by what is new in the list of orders ([`NumberMarket::orders`]).
//! - There is no request that **gives a number back**: [`NumberMarket::release`] says so until somebody has done it.
//! - Requests carry an **access token** that ends after an hour, see [`TokenKeeper`].
//!
//! Where requests and answers come from. The reference (<https://developer.goto.com/GoToConnect>, Voice Admin) publishes
//! Get Account, the list of numbers, the change of a number's `routeTo`, and orders by `accountKey` and `areaCode`; the
//! guide <https://developer.goto.com/guides/GoToConnect/13_HOW_useVoiceAdminApis> shows the list with an answer. We have
//! not seen published: `GET …/phone-numbers/available`, `GET …/lines`, and the members and states of an order. Those are
//! read as leniently as can be, and nothing that costs money depends on them: docs/carriers.md has the list.

mod access;
mod error;
mod grant;
mod lines;
mod orders;
mod wire;

use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use access::{Kept, KeptToken, TokenKeeper};
pub use error::SCOPES;
pub use wire::{Account, Line};

use crate::e164::E164;
use crate::market::answer::Answer;
use crate::market::http::Effect;
use crate::market::{
    AvailableNumber, CredentialsError, Http, MarketError, NumberMarket, NumberSearch, OrderState, Ordered, OwnedNumber,
    PlacedOrder, Reference, Route, endpoint, required,
};
use access::Access;
use grant::Grant;
use wire::{Available, Page, PhoneNumber};

const API: &str = "https://api.goto.com";
const AUTHENTICATION: &str = "https://authentication.logmeininc.com";
/// Pages of a list that are read.
const MAX_PAGES: usize = 50;
const PAGE_SIZE: &str = "100";
const NUMBERS: &str = "phone-numbers";

/// A GoTo Connect account; clones share its access token.
#[derive(Debug, Clone)]
pub struct GotoConnectMarket {
    http: Http,
    endpoint: Url,
    account_key: String,
    access: Access,
}

impl GotoConnectMarket {
    /// See [`Market::from_secret`](crate::market::Market::from_secret). A refresh token that GoTo issues is remembered as
    /// long as this value lives, unless it is [kept](Self::kept_by).
    pub(crate) fn from_secret(http: Http, key: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        let client_id = required(&key, "client-id")?.expose_secret().to_owned();
        let client_secret = required(&key, "client-secret")?;
        let refresh_token = required(&key, "refresh-token")?;
        let account_key = required(&key, "account-key")?.expose_secret().to_owned();
        if !account_key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CredentialsError::Form { key: "account-key", form: "digits" });
        }
        // Something that stands before GoTo stands before both of its hosts.
        let mut tokens = endpoint(&key, AUTHENTICATION)?;
        if let Ok(mut path) = tokens.path_segments_mut() {
            path.pop_if_empty().extend(["oauth", "token"]);
        }
        let grant = Grant::new(http.clone(), tokens, client_id, client_secret);
        let access = Access::new(grant, refresh_token, None);
        Ok(Self { http, endpoint: endpoint(&key, API)?, account_key, access })
    }

    /// The same account, whose refresh token is stored with `keeper` when GoTo issues another one.
    #[must_use]
    pub fn kept_by(self, keeper: Arc<dyn TokenKeeper>) -> Self {
        Self { access: self.access.kept_by(keeper), ..self }
    }

    /// Whether both were made of the same keys: then the older one has the better knowledge of its tokens.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.account_key == other.account_key && self.access.is_same(&other.access)
    }

    fn request(
        &self,
        method: &Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        token: &SecretString,
    ) -> RequestBuilder {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["voice-admin", "v1"]).extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.client().request(method.clone(), url).bearer_auth(token.expose_secret());
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// Sends a request with a good token. If GoTo does not take the token, which says that it did nothing, the request is
    /// sent once more with another one.
    async fn ask(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        effect: Effect,
    ) -> Result<Answer, MarketError> {
        let token = self.access.token().await?;
        let mut answer = self.http.send(self.request(&method, segments, query, body, &token), effect).await?;
        if error::wants_new_token(&answer) {
            let token = self.access.renew(&token).await?;
            answer = self.http.send(self.request(&method, segments, query, body, &token), effect).await?;
        }
        error::judge(answer, effect)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        what: &str,
    ) -> Result<T, MarketError> {
        self.ask(Method::GET, segments, query, None, Effect::Reads).await?.json(what)
    }

    /// Everything in a list of the account that a filter leaves, until `enough` were seen.
    async fn list<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        filter: &[(&str, &str)],
        enough: usize,
    ) -> Result<Vec<T>, MarketError> {
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("accountKey", self.account_key.as_str()), ("pageSize", PAGE_SIZE)];
            query.extend_from_slice(filter);
            query.extend(marker.as_deref().map(|marker| ("pageMarker", marker)));
            let page: Page<T> = self.read(segments, &query, "the list").await?;
            found.extend(page.items);
            marker = page.next.filter(|next| !next.is_empty());
            if marker.is_none() || found.len() >= enough {
                return Ok(found);
            }
        }
        Err(MarketError::Protocol { message: format!("the list has more than {MAX_PAGES} pages") })
    }

    /// A number of the account by its id: `GET /voice-admin/v1/phone-numbers/{id}`.
    async fn number(&self, id: &str) -> Result<OwnedNumber, MarketError> {
        self.read::<PhoneNumber>(&[NUMBERS, id], &[], "the number").await?.owned()
    }
}

impl NumberMarket for GotoConnectMarket {
    fn picks_numbers(&self) -> bool {
        true
    }

    /// `GET /voice-admin/v1/phone-numbers/available`, see the module. GoTo sells numbers of the USA and Canada.
    async fn search(&self, wanted: &NumberSearch, limit: u32) -> Result<Vec<AvailableNumber>, MarketError> {
        if !matches!(wanted.country(), "US" | "CA") {
            return Ok(Vec::new());
        }
        let filter: Vec<_> = wanted.area_code().map(|code| ("areaCode", code)).into_iter().collect();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let narrow = wanted.contains().is_some() || wanted.region().is_some();
        let enough = if narrow { usize::MAX } else { limit };
        let found: Vec<Available> = self.list(&[NUMBERS, "available"], &filter, enough).await?;
        let prefix = wanted.prefix();
        let mut numbers = found.into_iter().map(Available::number).collect::<Result<Vec<_>, _>>()?;
        numbers.retain(|found| {
            found.number.as_str().starts_with(&prefix)
                && wanted.contains().is_none_or(|part| found.number.as_str().contains(part))
                && wanted.region().is_none_or(|region| found.region.as_deref() == Some(region))
        });
        numbers.truncate(limit);
        Ok(numbers)
    }

    async fn order(&self, _number: &E164, _reference: &Reference) -> Result<Ordered, MarketError> {
        let message = "GoTo takes orders for an area code, not for a number".to_owned();
        Err(MarketError::Refused { status: 400, code: None, message })
    }

    async fn order_in(&self, wanted: &NumberSearch) -> Result<Ordered, MarketError> {
        orders::create(self, wanted).await
    }

    async fn orders(&self) -> Result<Vec<PlacedOrder>, MarketError> {
        orders::list(self).await
    }

    async fn order_state(&self, order_id: &str) -> Result<OrderState, MarketError> {
        orders::state(self, order_id).await
    }

    /// Orders carry no mark.
    async fn order_by_reference(&self, reference: &Reference) -> Result<Option<Ordered>, MarketError> {
        Ok(self.find_by_reference(reference).await?.into_iter().next().map(Ordered::Done))
    }

    /// <https://developer.goto.com/guides/GoToConnect/13_HOW_useVoiceAdminApis>. What comes is compared.
    async fn find(&self, number: &E164) -> Result<Option<OwnedNumber>, MarketError> {
        let found: Vec<PhoneNumber> = self.list(&[NUMBERS], &[("number", number.as_str())], usize::MAX).await?;
        for candidate in found {
            let owned = candidate.owned()?;
            if owned.number == *number {
                return Ok(Some(owned));
            }
        }
        Ok(None)
    }

    /// Numbers whose name is the reference: people may give them one.
    async fn find_by_reference(&self, reference: &Reference) -> Result<Vec<OwnedNumber>, MarketError> {
        let found: Vec<PhoneNumber> = self.list(&[NUMBERS], &[], usize::MAX).await?;
        let mut numbers = found.into_iter().map(PhoneNumber::owned).collect::<Result<Vec<_>, _>>()?;
        numbers.retain(|owned| owned.carries(reference));
        Ok(numbers)
    }

    /// Assigns the number to a line: <https://developer.goto.com/GoToConnect>, Update a Phone Number. What the number has
    /// afterwards is read, because the answer is not documented to say it.
    async fn route(&self, number: &OwnedNumber, route: &Route) -> Result<(), MarketError> {
        let change = json!({ "routeTo": { "id": route.connection, "type": "EXTENSION" } });
        let segments = [NUMBERS, number.carrier_id.as_str()];
        match self.ask(Method::PATCH, &segments, &[], Some(&change), Effect::Changes).await {
            Ok(_) => {}
            Err(error) => return Err(lines::explain(self, error, route).await),
        }
        if self.number(&number.carrier_id).await?.is_routed(route) {
            Ok(())
        } else {
            Err(MarketError::Protocol { message: "the number does not have the line it was given".to_owned() })
        }
    }

    /// There is no request for it: done is what somebody has done in GoTo's admin portal.
    async fn release(&self, number: &OwnedNumber) -> Result<(), MarketError> {
        match self.find(&number.number).await? {
            None => Ok(()),
            Some(_) => Err(MarketError::ByHand {
                message: "GoTo takes a number back only by hand: remove it from the account in GoTo's admin portal",
            }),
        }
    }
}
