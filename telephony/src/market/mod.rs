//! Where numbers are bought: the one interface to carriers that sell them.
//!
//! Buying costs money and carriers offer no idempotency key, so an order names one number ([`E164`]) and carries our
//! [`Reference`]. Ordering the same number again can never buy two: at worst the carrier says that it is taken, and
//! [`NumberMarket::find`] says by whom. A carrier that [picks the number itself](NumberMarket::picks_numbers) takes neither
//! number nor reference: there, what is new among its [orders](NumberMarket::orders) tells whether one was carried out. A
//! client never tries anything twice by itself; [`MarketError`] says what is known about the outcome, and the caller
//! decides.

mod account;
pub(crate) mod answer;
pub(crate) mod censor;
mod error;
mod fallback;
pub(crate) mod http;
mod reference;
mod search;

use std::future::Future;

pub use account::{CredentialsError, Market};
pub(crate) use account::{endpoint, required};
pub use error::{BoxError, MarketError};
pub use fallback::Fallback;
pub use http::Http;
pub use reference::{Reference, ReferenceError};
pub use search::{NumberSearch, SearchError};

use crate::e164::E164;

/// A carrier account that sells numbers.
pub trait NumberMarket: Send + Sync {
    /// Whether the carrier picks the number: an order names an area ([`Self::order_in`]) and not a number
    /// ([`Self::order`]), and carries no reference.
    fn picks_numbers(&self) -> bool {
        false
    }

    /// Numbers for sale, at most `limit`, in the carrier's order. Finding none is no error.
    fn search(
        &self,
        wanted: &NumberSearch,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<AvailableNumber>, MarketError>> + Send;

    /// Buys one number. One request, never repeated. After [`MarketError::Taken`] look with [`Self::find`] first: the
    /// buyer may have been an earlier order of ours whose answer was lost.
    fn order(&self, number: &E164, reference: &Reference) -> impl Future<Output = Result<Ordered, MarketError>> + Send;

    /// Buys one number of an area, whichever the carrier picks. One request, never repeated; two of them buy two numbers.
    fn order_in(&self, wanted: &NumberSearch) -> impl Future<Output = Result<Ordered, MarketError>> + Send {
        let _ = wanted;
        async { Err(one_by_one()) }
    }

    /// All orders of the account, whoever placed them, where the carrier picks the numbers.
    fn orders(&self) -> impl Future<Output = Result<Vec<PlacedOrder>, MarketError>> + Send {
        async { Err(one_by_one()) }
    }

    /// What became of an order that was pending.
    fn order_state(&self, order_id: &str) -> impl Future<Output = Result<OrderState, MarketError>> + Send;

    /// The newest order with our reference that did not fail. This is how an order is found whose answer was lost while
    /// its number is not in the account yet.
    fn order_by_reference(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<Option<Ordered>, MarketError>> + Send;

    /// A number of the account.
    fn find(&self, number: &E164) -> impl Future<Output = Result<Option<OwnedNumber>, MarketError>> + Send;

    /// The numbers of the account that carry our reference.
    fn find_by_reference(
        &self,
        reference: &Reference,
    ) -> impl Future<Output = Result<Vec<OwnedNumber>, MarketError>> + Send;

    /// Sends the number's calls to us. Doing it again changes nothing.
    fn route(&self, number: &OwnedNumber, route: &Route) -> impl Future<Output = Result<(), MarketError>> + Send;

    /// Where the number's calls go while our SIP host does not answer.
    fn fallback(&self, number: &OwnedNumber) -> impl Future<Output = Result<Fallback, MarketError>> + Send {
        let _ = number;
        async { Err(no_fallback()) }
    }

    /// Sends the number's calls to another number while our SIP host does not answer; none: nowhere. Doing it again changes
    /// nothing.
    fn set_fallback(
        &self,
        number: &OwnedNumber,
        to: Option<&E164>,
    ) -> impl Future<Output = Result<(), MarketError>> + Send {
        let _ = (number, to);
        async { Err(no_fallback()) }
    }

    /// Gives the number back, for good: the carrier may sell it to somebody else. A number that is gone already is fine.
    fn release(&self, number: &OwnedNumber) -> impl Future<Output = Result<(), MarketError>> + Send;
}

fn one_by_one() -> MarketError {
    let message = "orders of this carrier name a number".to_owned();
    MarketError::Refused { status: 400, code: None, message }
}

fn no_fallback() -> MarketError {
    MarketError::ByHand { message: "this carrier has no request that says where calls go while nobody answers" }
}

/// An order in the account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedOrder {
    /// The carrier's id of it.
    pub id: String,
    /// The area code it names, if the list says.
    pub area_code: Option<String>,
}

/// A number for sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailableNumber {
    /// The number.
    pub number: E164,
    /// Town, as the carrier writes it.
    pub locality: Option<String>,
    /// State, province or region, as the carrier writes it.
    pub region: Option<String>,
}

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// The number is ours.
    Done(OwnedNumber),
    /// The carrier works on it: ask [`NumberMarket::order_state`].
    Pending {
        /// The carrier's id of the order.
        order_id: String,
    },
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// The carrier works on it, or the number is bought and not in the account's list yet.
    Pending,
    /// The number is ours.
    Done(OwnedNumber),
    /// Nothing was bought.
    Failed {
        /// Why, in the carrier's words as far as it says.
        message: String,
    },
}

/// A number of the carrier account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedNumber {
    /// The number.
    pub number: E164,
    /// The carrier's id of it (Twilio `PN…`, Telnyx phone number id).
    pub carrier_id: String,
    /// The mark on it: [`Reference::as_str`] if we bought it. A carrier may keep the mark on the order only;
    /// [`NumberMarket::find_by_reference`] looks at both.
    pub reference: Option<String>,
    /// Id of the trunk or connection that its calls go to.
    pub route: Option<String>,
}

/// Where a number's calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The carrier's id of the trunk (Twilio `TK…`), connection (Telnyx) or line (GoTo Connect) that leads
    /// to our SIP host.
    pub connection: String,
}

impl OwnedNumber {
    /// Whether the calls go there already.
    #[must_use]
    pub fn is_routed(&self, route: &Route) -> bool {
        self.route.as_deref() == Some(route.connection.as_str())
    }

    /// Whether the number was bought with this reference.
    #[must_use]
    pub fn carries(&self, reference: &Reference) -> bool {
        self.reference.as_deref() == Some(reference.as_str())
    }
}
