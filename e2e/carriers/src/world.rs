//! What a stand-in knows: stock, owners, orders, money, and what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::goto_connect::Tokens;

/// A number that exists at the carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Number {
    /// E.164.
    pub number: String,
    /// ISO 3166-1.
    pub country: String,
    /// Without the country code.
    pub area_code: String,
    /// State or province.
    #[serde(default)]
    pub region: Option<String>,
    /// Town.
    #[serde(default)]
    pub locality: Option<String>,
    /// Price.
    pub cents: u32,
    /// Who has it.
    #[serde(default)]
    pub holder: Holder,
    /// Whether a search showed it.
    #[serde(default)]
    pub shown: bool,
}

/// Who has a number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// It is for sale.
    #[default]
    Nobody,
    /// An order of the account that is pending.
    Order,
    /// The account.
    Account(Owned),
    /// Another customer.
    Stranger,
}

/// A number of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owned {
    /// E.164.
    pub number: String,
    /// The carrier's id.
    pub id: String,
    /// `FriendlyName` or `customer_reference`.
    pub reference: Option<String>,
    /// Trunk or connection.
    pub route: Option<String>,
}

/// Where calls of a number go instead of to its route (Telnyx).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarding {
    /// Whether they do. Omitted: yes.
    #[serde(rename = "call_forwarding_enabled")]
    pub enabled: Option<bool>,
    /// Whereto, in E.164 form; empty: nowhere.
    pub forwards_to: Option<String>,
    /// `always` or `on-failure`.
    pub forwarding_type: Option<String>,
}

/// Money spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// What was bought.
    pub number: String,
    /// The buyer's mark.
    pub reference: Option<String>,
    /// What it cost.
    pub cents: u32,
}

/// An order (Telnyx, GoTo Connect).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    pub id: String,
    /// What was ordered.
    pub number: String,
    /// The buyer's mark.
    pub reference: Option<String>,
    /// How often it is shown as pending yet.
    pub polls_left: u32,
    /// How far it is.
    pub status: OrderStatus,
    /// When, as a count.
    pub sequence: u64,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderStatus {
    /// It will succeed.
    Pending,
    /// It will fail.
    Doomed,
    /// The number is the account's.
    Success,
    /// Nothing was bought.
    Failure,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
}

/// Everything.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// All numbers.
    pub numbers: Vec<Number>,
    /// Money spent, in order; an order that fails is refunded.
    pub purchases: Vec<Purchase>,
    /// Numbers given back, in order.
    pub releases: Vec<String>,
    /// Orders, oldest first.
    pub orders: Vec<Order>,
    /// Requests, oldest first.
    pub requests: Vec<Seen>,
    /// Faults yet to come.
    pub faults: Vec<Fault>,
    /// Trunks or connections of the account.
    pub connections: Vec<String>,
    /// How often a new order is shown as pending.
    pub pending_polls: u32,
    /// The next order fails in the end.
    pub doom_next_order: bool,
    /// An order's reference does not become the number's.
    pub references_stay_on_orders: bool,
    /// Largest page of a list.
    pub page_limit: Option<usize>,
    /// Call forwarding by number (Telnyx).
    pub forwarding: BTreeMap<String, Forwarding>,
    /// What ids are made of.
    pub sequence: u64,
    /// Access and refresh tokens (GoTo Connect).
    #[serde(skip)]
    pub tokens: Tokens,
}

/// The world, shared.
pub(crate) type Shared = Arc<Mutex<World>>;

/// The world, whoever panicked while holding it.
pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// The next number of the count that ids are made of.
    pub(crate) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// The number, if it exists.
    pub(crate) fn number(&mut self, number: &str) -> Option<&mut Number> {
        self.numbers.iter_mut().find(|candidate| candidate.number == number)
    }

    /// The account's numbers.
    #[must_use]
    pub fn owned(&self) -> Vec<Owned> {
        let owned = |number: &Number| match &number.holder {
            Holder::Account(owned) => Some(owned.clone()),
            _ => None,
        };
        self.numbers.iter().filter_map(owned).collect()
    }

    /// The account's number with this id.
    pub(crate) fn owned_by_id(&mut self, id: &str) -> Option<&mut Owned> {
        self.numbers.iter_mut().find_map(|number| match &mut number.holder {
            Holder::Account(owned) if owned.id == id => Some(owned),
            _ => None,
        })
    }

    /// Money leaves the account, if the number is for sale.
    pub(crate) fn pay(&mut self, number: &str, reference: Option<&str>) -> bool {
        let Some(found) = self.number(number).filter(|found| found.holder == Holder::Nobody) else { return false };
        found.holder = Holder::Order;
        let cents = found.cents;
        self.purchases.push(Purchase { number: number.to_owned(), reference: reference.map(str::to_owned), cents });
        true
    }

    /// The number that was paid for becomes the account's.
    pub(crate) fn deliver(&mut self, owned: Owned) {
        let number = owned.number.clone();
        if let Some(found) = self.number(&number) {
            found.holder = Holder::Account(owned);
        }
    }

    /// The order as it is shown now. A pending one is shown so often, then it is done; `id` makes the id of the number
    /// that is delivered.
    pub(crate) fn show(&mut self, index: usize, id: fn(u64) -> String) -> Order {
        let order = self.orders[index].clone();
        if order.polls_left > 0 {
            self.orders[index].polls_left -= 1;
            return order;
        }
        match order.status {
            OrderStatus::Pending => {
                let id = id(self.next());
                let reference = order.reference.filter(|_| !self.references_stay_on_orders);
                self.deliver(Owned { number: order.number, id, reference, route: None });
                self.orders[index].status = OrderStatus::Success;
            }
            OrderStatus::Doomed => {
                self.refund(&order.number);
                self.orders[index].status = OrderStatus::Failure;
            }
            OrderStatus::Success | OrderStatus::Failure => {}
        }
        self.orders[index].clone()
    }

    /// An order that fails: the money comes back, and the number is for sale.
    pub(crate) fn refund(&mut self, number: &str) {
        if let Some(index) = self.purchases.iter().rposition(|purchase| purchase.number == number) {
            self.purchases.remove(index);
        }
        if let Some(found) = self.number(number) {
            found.holder = Holder::Nobody;
        }
    }

    /// The account gives a number back; whether it had it.
    pub(crate) fn release(&mut self, id: &str) -> bool {
        let Some(number) = self.owned_by_id(id).map(|owned| owned.number.clone()) else { return false };
        if let Some(found) = self.number(&number) {
            found.holder = Holder::Nobody;
        }
        self.forwarding.remove(&number);
        self.releases.push(number);
        true
    }
}
