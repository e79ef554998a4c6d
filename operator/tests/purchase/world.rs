//! A PhoneNumber, the carrier's stand-in, and an operator that lives as often as it must.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use prometheus_client::registry::Registry;
use serde_json::json;
use uuid::Uuid;
use voxplane_carriers::Simulator;
use voxplane_crds::agency::NumberGrant;
use voxplane_operator::carriers::Measured;
use voxplane_operator::database::Database;
use voxplane_operator::error::Error;
use voxplane_operator::metrics::Metrics;
use voxplane_operator::phone_number::purchase::journal::Journal as _;
use voxplane_operator::phone_number::purchase::{Goal, Progress, Then, Wish, is_over, pursue};
use voxplane_store::number_orders::{NewNumberOrder, NumberOrder, OrderState};
use voxplane_store::resources::{self, ResourceKind};
use voxplane_store::testing::{TestDb, TestTenant};
use voxplane_store::{Db, Scope};
use voxplane_telephony::market::{Http, NumberSearch, Route};
use voxplane_telephony::{CarrierKind, Market};

use super::cut::{CutJournal, CutMarket, Fuse};

/// Lives and passes that must be enough: one cut costs the carrier's time to settle, in virtual seconds.
const PASSES: usize = 120;

/// A database with a tenant; PhoneNumbers are made in it. Connections are kept over the lives of the operator, because
/// making them takes longer than everything else; they know nothing of orders.
pub struct Place {
    tenant: TestTenant,
    numbers: AtomicU32,
    pub database: Database,
    db: Db,
    http: Http,
    _test: TestDb,
}

impl Place {
    pub async fn new() -> Self {
        let test = TestDb::create().await;
        let db = test.connect().await.unwrap();
        let tenant = test.tenant(&db, "acme", "dental").await.unwrap();
        let database = Database::open(Some(&test.app_url().into())).await.unwrap();
        database.ask().await;
        let http = Http::new(Duration::from_secs(10)).unwrap();
        Self { tenant, numbers: AtomicU32::new(0), database, db, http, _test: test }
    }

    /// The next PhoneNumber, of a carrier that `simulator` stands in for.
    pub async fn subject(&self, kind: CarrierKind, simulator: Simulator) -> Subject<'_> {
        let name = format!("number-{}", self.numbers.fetch_add(1, Ordering::SeqCst));
        let mut tx = self.db.begin(&Scope::platform()).await.unwrap();
        let (agency, tenant) = (Some(self.tenant.agency), Some(self.tenant.tenant));
        let namespace = "vx-acme--dental";
        let resource =
            resources::register(&mut tx, ResourceKind::PhoneNumber, namespace, &name, &name, agency, tenant).await;
        tx.commit().await.unwrap();
        let wish = Wish {
            new: NewNumberOrder {
                agency: self.tenant.agency,
                tenant: self.tenant.tenant,
                resource: resource.unwrap(),
                // Each has a connection of its own, because each has a carrier of its own.
                carrier: name,
                search: Some(json!({"country": "US", "areaCode": "404"})),
                number: None,
            },
            search: Some(NumberSearch::new("US", Some("404"), None, None).unwrap()),
            route: Route { connection: simulator.connection().to_owned() },
            tenant: "dental".to_owned(),
            grants: vec![NumberGrant { pattern: "+1404*".to_owned(), tenants: vec!["dental".to_owned()] }],
            claimed: BTreeSet::new(),
            limit: Ok(1),
        };
        let now = "2026-07-01T12:00:00Z".parse().unwrap();
        let (http, rival) = (self.http.clone(), AtomicBool::new(false));
        Subject { place: self, kind, simulator, wish, now, http, rival, context: String::new() }
    }
}

/// What the operator is to achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The PhoneNumber is there.
    Have,
    /// It goes, `deletionPolicy: Retain`.
    Keep,
    /// It goes, `deletionPolicy: Release`.
    Release,
}

/// A PhoneNumber.
pub struct Subject<'a> {
    place: &'a Place,
    kind: CarrierKind,
    pub simulator: Simulator,
    pub wish: Wish,
    pub now: Timestamp,
    pub http: Http,
    /// Somebody else buys the first number that is ordered.
    pub rival: AtomicBool,
    /// For messages of failed tests.
    pub context: String,
}

impl Subject<'_> {
    pub fn resource(&self) -> Uuid {
        self.wish.new.resource
    }

    /// Runs the operator until the number is there.
    pub async fn buy(&mut self, fuse: &Fuse) -> NumberOrder {
        for _ in 0..PASSES {
            if let Some(Progress { order, then: Then::Rest }) = self.life(fuse, Aim::Have).await {
                assert_eq!(order.state, OrderState::Routed, "{}", self.context);
                return order;
            }
        }
        panic!("{}: no number after {PASSES} passes: {:?}", self.context, self.stored().await);
    }

    /// Runs the operator until it was cut off, or the number is there.
    pub async fn begin_to_buy(&mut self, fuse: &Fuse) {
        for _ in 0..PASSES {
            let progress = self.life(fuse, Aim::Have).await;
            if fuse.is_blown() || progress.is_some_and(|progress| progress.then == Then::Rest) {
                return;
            }
        }
        panic!("{}: neither cut off nor bought after {PASSES} passes", self.context);
    }

    /// Runs the operator until the PhoneNumber may go.
    pub async fn delete(&mut self, fuse: &Fuse, aim: Aim) {
        for _ in 0..PASSES {
            match self.life(fuse, aim).await {
                Some(progress) if is_over(&progress.order) => return,
                Some(progress) => self.do_by_hand(&progress.order),
                None => {}
            }
            // An end whose commit was not heard of leaves nothing to do.
            if self.stored().await.is_none() {
                return;
            }
        }
        panic!("{}: not over after {PASSES} passes", self.context);
    }

    /// What the carrier has no request for, and somebody does when the status says so.
    fn do_by_hand(&self, order: &NumberOrder) {
        if order.problem.as_ref().is_some_and(|problem| problem.message.contains("by hand")) {
            self.simulator.remove_by_hand(order.number.as_ref().unwrap());
        }
    }

    /// The stored order, read without a cut.
    pub async fn stored(&self) -> Option<NumberOrder> {
        self.place.database.find(self.resource()).await.unwrap()
    }

    /// The carrier's account, uncut.
    pub fn market(&self) -> Market {
        let keys = self.simulator.secret();
        Market::from_secret(self.kind, &self.http, |key| keys.get(key).cloned()).unwrap()
    }

    /// One pass of an operator that was just started and knows nothing. None: it did not come to its end.
    async fn life(&mut self, fuse: &Fuse, aim: Aim) -> Option<Progress> {
        let market = self.market();
        let rival = |number: &voxplane_telephony::E164| {
            if self.rival.swap(false, Ordering::SeqCst) {
                self.simulator.sell_to_stranger(number.as_str());
            }
        };
        let market = CutMarket { market: &market, fuse, rival };
        // As the controller wraps it: what it leaves out of the interface would be missing here.
        let metrics = Metrics::register(&mut Registry::default());
        let market = Measured { market, system: "carrier", metrics: &metrics };
        let journal = CutJournal { database: &self.place.database, fuse };
        // Boxed, since it holds the states of four layers.
        let pass = Box::pin(async {
            let (goal, order) = match aim {
                Aim::Have => (Goal::Have(&self.wish), Some(journal.open(&self.wish.new).await?)),
                Aim::Keep => (Goal::Keep, journal.find(self.wish.new.resource).await?),
                Aim::Release => (Goal::Release, journal.find(self.wish.new.resource).await?),
            };
            let Some(order) = order else { return Ok(None) };
            Ok::<_, Error>(Some(pursue(goal, order, Some(&market), &journal, self.now).await?))
        });
        let result = tokio::select! {
            result = pass => Some(result),
            () = fuse.ended() => None,
        };
        let (progress, wait) = match result {
            Some(Ok(Some(progress))) => {
                let wait = match &progress.then {
                    Then::LookAgain(wait) => *wait,
                    _ => Duration::ZERO,
                };
                (Some(progress), wait)
            }
            Some(Ok(None)) => (None, Duration::ZERO),
            // As the controller does after a failed pass, and a restart takes a moment too.
            Some(Err(_)) | None => (None, Duration::from_secs(1)),
        };
        self.now = self.now.checked_add(wait).unwrap();
        self.assert_remembered().await;
        progress
    }

    /// Wherever the process ended: what was bought is never stored as not ordered. That alone keeps the next one from
    /// ordering again; that it also looks by our mark before it chooses another number is a second net.
    async fn assert_remembered(&self) {
        let stored = self.stored().await;
        if let Some(OrderState::Choosing | OrderState::Intended) = stored.as_ref().map(|order| order.state) {
            assert_eq!(self.simulator.purchases(), [], "{}: {stored:?}", self.context);
        }
    }

    /// One number was bought, and it is the one that the order has; its calls come to us.
    pub fn assert_bought_once(&self, order: &NumberOrder) {
        let (context, purchases, owned) = (&self.context, self.simulator.purchases(), self.simulator.owned());
        let number = order.number.clone().unwrap();
        let bought: Vec<_> = purchases.iter().map(|purchase| purchase.number.clone()).collect();
        assert_eq!(bought, std::slice::from_ref(&number), "{context}");
        assert_eq!(owned.len(), 1, "{context}: {owned:?}");
        assert_eq!((&owned[0].number, Some(&owned[0].id)), (&number, order.carrier_number_id.as_ref()), "{context}");
        assert_eq!(owned[0].route.as_deref(), Some(self.simulator.connection()), "{context}");
    }

    /// The number was given back, nothing is left, and no more money was spent.
    pub fn assert_given_back(&self, order: &NumberOrder) {
        let context = &self.context;
        assert_eq!(self.simulator.owned(), [], "{context}");
        assert_eq!(self.simulator.releases(), [order.number.clone().unwrap()], "{context}");
        assert_eq!(self.simulator.purchases().len(), 1, "{context}");
    }
}
