//! What every carrier that sells numbers must do, against stand-ins that speak the carriers' protocols.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod buying;
mod failures;
mod fallback;
mod goto_connect;
mod peculiar;

use std::time::Duration;

use uuid::Uuid;
use voxplane_carriers::{Setup, Simulator};
use voxplane_telephony::market::{Http, MarketError, NumberSearch, OrderState, Ordered, OwnedNumber, Reference, Route};
use voxplane_telephony::{CarrierKind, E164, Market, NumberMarket as _};

/// Short, because tests wait for it.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// A carrier account with a stand-in behind it.
struct Account {
    kind: CarrierKind,
    sim: Simulator,
    market: Market,
}

/// One account with each carrier.
async fn accounts() -> [Account; 3] {
    accounts_with(|setup| setup).await
}

async fn accounts_with(change: fn(Setup) -> Setup) -> [Account; 3] {
    let [twilio, telnyx] = marking_with(change).await;
    let goto_connect = Simulator::goto_connect().pending_polls(2);
    [twilio, telnyx, account(CarrierKind::GotoConnect, change(goto_connect)).await]
}

/// One account with each carrier that takes orders for a number, keeps our mark and takes numbers back.
async fn marking() -> [Account; 2] {
    marking_with(|setup| setup).await
}

async fn marking_with(change: fn(Setup) -> Setup) -> [Account; 2] {
    [
        account(CarrierKind::Twilio, change(Simulator::twilio())).await,
        account(CarrierKind::Telnyx, change(Simulator::telnyx().pending_polls(2))).await,
    ]
}

async fn account(kind: CarrierKind, setup: Setup) -> Account {
    let sim = setup.start().await.unwrap();
    let market = market(kind, &sim, &[]);
    Account { kind, sim, market }
}

/// A client for a stand-in, with some keys of its Secret changed; an empty one is missing.
fn market(kind: CarrierKind, sim: &Simulator, changed: &[(&str, &str)]) -> Market {
    let mut keys = sim.secret();
    keys.extend(changed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    Market::from_secret(kind, &Http::new(TIMEOUT).unwrap(), |key| keys.get(key).cloned()).unwrap()
}

fn number(text: &str) -> E164 {
    E164::parse(text).unwrap()
}

fn reference(order: u128) -> Reference {
    Reference::new(Uuid::from_u128(order))
}

/// Orders a number, where the carrier lets us choose; else one of its area.
async fn order_at(market: &Market, text: &str, reference: &Reference) -> Result<Ordered, MarketError> {
    if market.picks_numbers() {
        market.order_in(&search("US", Some(&text[2..5]), None, None)).await
    } else {
        market.order(&number(text), reference).await
    }
}

fn search(country: &str, area: Option<&str>, contains: Option<&str>, region: Option<&str>) -> NumberSearch {
    NumberSearch::new(country, area, contains, region).unwrap()
}

impl Account {
    fn route(&self) -> Route {
        Route { connection: self.sim.connection().to_owned() }
    }

    /// The numbers a search finds.
    async fn found(&self, wanted: &NumberSearch, limit: u32) -> Vec<String> {
        let found = self.market.search(wanted, limit).await.unwrap();
        found.into_iter().map(|found| found.number.as_str().to_owned()).collect()
    }

    /// Everything for sale in Atlanta; some carriers sell only what a search has shown.
    async fn look_around(&self) {
        assert_eq!(self.found(&search("US", Some("404"), None, None), 50).await.len(), 10, "{:?}", self.kind);
    }

    /// Asks until an order is done.
    async fn wait(&self, ordered: Ordered) -> OwnedNumber {
        let order_id = match ordered {
            Ordered::Done(owned) => return owned,
            Ordered::Pending { order_id } => order_id,
        };
        for _ in 0..10 {
            match self.market.order_state(&order_id).await.unwrap() {
                OrderState::Done(owned) => return owned,
                OrderState::Pending => {}
                OrderState::Failed { message } => panic!("{:?}: {message}", self.kind),
            }
        }
        panic!("{:?}: the order stays pending", self.kind);
    }

    async fn buy(&self, text: &str, reference: &Reference) -> OwnedNumber {
        let ordered = order_at(&self.market, text, reference).await.unwrap();
        self.wait(ordered).await
    }

    /// Requests with this method so far, but those for tokens.
    fn requests(&self, method: &str) -> usize {
        self.sim.requests().iter().filter(|seen| seen.method == method && seen.path != "/oauth/token").count()
    }

    /// Whether orders and numbers carry our mark.
    fn marks(&self) -> bool {
        !self.market.picks_numbers()
    }
}
