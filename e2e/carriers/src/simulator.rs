//! One running stand-in.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::middleware;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::fault::Fault;
use crate::gate::{self, Gate};
use crate::wire::{Cutter, Wires};
use crate::world::{Forwarding, Holder, Number, Order, OrderStatus, Owned, Purchase, Seen, Shared, World, lock};
use crate::{Vendor, goto_connect, inspect, stock, telnyx, twilio};

/// How a stand-in is to start.
#[derive(Debug)]
pub struct Setup {
    vendor: Vendor,
    listen: SocketAddr,
    world: World,
}

impl Setup {
    fn new(vendor: Vendor, connection: &str) -> Self {
        let world = World { numbers: stock::default(), connections: vec![connection.to_owned()], ..World::default() };
        Self { vendor, listen: (Ipv4Addr::LOCALHOST, 0).into(), world }
    }

    /// Where it listens. Omitted: a free port of the loopback address.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The numbers that exist. Omitted: [`stock::default`].
    #[must_use]
    pub fn stock(mut self, numbers: Vec<Number>) -> Self {
        self.world.numbers = numbers;
        self
    }

    /// How many answers show an order as pending, after the one that accepts it (Telnyx, GoTo Connect). Omitted: none.
    #[must_use]
    pub const fn pending_polls(mut self, polls: u32) -> Self {
        self.world.pending_polls = polls;
        self
    }

    /// The reference of an order does not become the number's (Telnyx).
    #[must_use]
    pub const fn references_stay_on_orders(mut self) -> Self {
        self.world.references_stay_on_orders = true;
        self
    }

    /// Largest page of a list, whatever is asked for.
    #[must_use]
    pub const fn page_limit(mut self, limit: usize) -> Self {
        self.world.page_limit = Some(limit);
        self
    }

    /// Seconds that an access token is said to live (GoTo Connect). Omitted: an hour.
    #[must_use]
    pub const fn token_lifetime(mut self, seconds: u64) -> Self {
        self.world.tokens.set_lifetime(seconds);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(self) -> io::Result<Simulator> {
        let listener = TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        let world: Shared = Arc::new(Mutex::new(self.world));
        let gate = Gate { vendor: self.vendor, world: world.clone() };
        let api = match self.vendor {
            Vendor::Twilio => twilio::router(world.clone()),
            Vendor::Telnyx => telnyx::router(world.clone()),
            Vendor::GotoConnect => goto_connect::router(world.clone()),
        };
        let app = api.layer(middleware::from_fn_with_state(gate, gate::pass)).merge(inspect::router(world.clone()));
        let serve = axum::serve(Wires(listener), app.into_make_service_with_connect_info::<Cutter>());
        let task = tokio::spawn(async move {
            // Ends only when it is aborted.
            let _ = serve.await;
        });
        Ok(Simulator { vendor: self.vendor, address, world, task: task.abort_handle() })
    }
}

/// A running stand-in; it stops when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    vendor: Vendor,
    address: SocketAddr,
    world: Shared,
    task: AbortHandle,
}

impl Simulator {
    /// A stand-in for Twilio.
    #[must_use]
    pub fn twilio() -> Setup {
        Setup::new(Vendor::Twilio, twilio::TRUNK)
    }

    /// A stand-in for Telnyx.
    #[must_use]
    pub fn telnyx() -> Setup {
        Setup::new(Vendor::Telnyx, telnyx::CONNECTION)
    }

    /// Whom it stands in for.
    #[must_use]
    pub const fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// A stand-in for GoTo Connect.
    #[must_use]
    pub fn goto_connect() -> Setup {
        Setup::new(Vendor::GotoConnect, goto_connect::LINE)
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The keys of a Secret for its account, `endpoint` included.
    #[must_use]
    pub fn secret(&self) -> BTreeMap<String, String> {
        let keys = match self.vendor {
            Vendor::Twilio => {
                vec![("account-sid", twilio::ACCOUNT), ("api-key", twilio::API_KEY), ("api-secret", twilio::API_SECRET)]
            }
            Vendor::Telnyx => vec![("api-key", telnyx::API_KEY)],
            Vendor::GotoConnect => vec![
                ("client-id", goto_connect::CLIENT_ID),
                ("client-secret", goto_connect::CLIENT_SECRET),
                ("refresh-token", goto_connect::REFRESH_TOKEN),
                ("account-key", goto_connect::ACCOUNT_KEY),
            ],
        };
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        keys.into_iter().map(own).chain([("endpoint".to_owned(), self.url())]).collect()
    }

    /// A trunk, connection or line of the account.
    #[must_use]
    pub const fn connection(&self) -> &'static str {
        match self.vendor {
            Vendor::Twilio => twilio::TRUNK,
            Vendor::Telnyx => telnyx::CONNECTION,
            Vendor::GotoConnect => goto_connect::LINE,
        }
    }

    /// Sets a fault.
    pub fn fail(&self, fault: Fault) {
        lock(&self.world).faults.push(fault);
    }

    /// Another customer buys a number.
    pub fn sell_to_stranger(&self, number: &str) {
        if let Some(number) = lock(&self.world).number(number) {
            number.holder = Holder::Stranger;
        }
    }

    /// The next order is accepted and fails in the end (Telnyx, GoTo Connect).
    pub fn doom_next_order(&self) {
        lock(&self.world).doom_next_order = true;
    }

    /// Somebody else in the account ordered a number of an area and uses it for something else (GoTo Connect). It counts as
    /// no purchase of ours.
    pub fn order_by_hand(&self, area_code: &str) {
        let mut world = lock(&self.world);
        let sequence = world.next();
        let found =
            world.numbers.iter_mut().find(|number| number.holder == Holder::Nobody && number.area_code == area_code);
        let Some(number) = found else { return };
        number.holder = Holder::Stranger;
        let number = number.number.clone();
        let id = format!("00000000-0000-4000-a000-{sequence:012x}");
        world.orders.push(Order { id, number, reference: None, polls_left: 0, status: OrderStatus::Success, sequence });
    }

    /// Somebody removes a number from the account in the carrier's portal.
    pub fn remove_by_hand(&self, number: &str) {
        let mut world = lock(&self.world);
        if let Some(owned) = world.owned().into_iter().find(|owned| owned.number == number) {
            world.release(&owned.id);
        }
    }

    /// Where a number's calls go while its connection does not take them (Telnyx); none: nowhere.
    #[must_use]
    pub fn fallback_of(&self, number: &str) -> Option<String> {
        let world = lock(&self.world);
        let forwarding = world.forwarding.get(number)?;
        let works = forwarding.enabled != Some(false) && forwarding.forwarding_type.as_deref() == Some("on-failure");
        forwarding.forwards_to.clone().filter(|to| works && !to.is_empty())
    }

    /// Somebody changes a number's call forwarding in the carrier's portal (Telnyx).
    pub fn forward_by_hand(&self, number: &str, forwarding: Forwarding) {
        lock(&self.world).forwarding.insert(number.to_owned(), forwarding);
    }

    /// All access tokens end (GoTo Connect).
    pub fn expire_access_tokens(&self) {
        lock(&self.world).tokens.expire();
    }

    /// The refresh token ends: whoever uses it next gets another one, once (GoTo Connect).
    pub fn end_refresh_token(&self) {
        lock(&self.world).tokens.end_refresh_token();
    }

    /// The administrator withdraws the authorisation (GoTo Connect).
    pub fn revoke(&self) {
        lock(&self.world).tokens.revoke();
    }

    /// The administrator authorises again; returns the refresh token (GoTo Connect).
    #[must_use]
    pub fn authorize_again(&self) -> String {
        lock(&self.world).tokens.authorize_again()
    }

    /// The authorisation lacks a scope from now on (GoTo Connect).
    pub fn drop_scope(&self) {
        lock(&self.world).tokens.drop_scope();
    }

    /// How often an access token was fetched (GoTo Connect).
    #[must_use]
    pub fn tokens_issued(&self) -> u32 {
        lock(&self.world).tokens.issued()
    }

    /// Money spent on a number: how often it was bought.
    #[must_use]
    pub fn purchases_of(&self, number: &str) -> usize {
        lock(&self.world).purchases.iter().filter(|purchase| purchase.number == number).count()
    }

    /// Everything that was bought, pending orders included.
    #[must_use]
    pub fn purchases(&self) -> Vec<Purchase> {
        lock(&self.world).purchases.clone()
    }

    /// Money spent in all.
    #[must_use]
    pub fn spent_cents(&self) -> u32 {
        lock(&self.world).purchases.iter().map(|purchase| purchase.cents).sum()
    }

    /// The account's numbers.
    #[must_use]
    pub fn owned(&self) -> Vec<Owned> {
        lock(&self.world).owned()
    }

    /// Numbers given back.
    #[must_use]
    pub fn releases(&self) -> Vec<String> {
        lock(&self.world).releases.clone()
    }

    /// Requests that came, failed ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.world).requests.clone()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
