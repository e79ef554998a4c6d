//! Orders at carriers: one at a time, changed by one writer at a time, within the limit.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;
use voxplane_store::number_orders::{self, NewNumberOrder, NumberOrder, OrderProblem, OrderState, Verdict};
use voxplane_store::resources::{self, ResourceKind};
use voxplane_store::testing::TestTenant;
use voxplane_store::{Db, Scope, ScopedTx, StoreError};

use super::support::one_tenant;

async fn phone_number(db: &Db, tenant: &TestTenant, name: &str) -> Uuid {
    let mut tx = db.begin(&Scope::platform()).await.unwrap();
    let (agency, owner) = (Some(tenant.agency), Some(tenant.tenant));
    let id = resources::register(&mut tx, ResourceKind::PhoneNumber, "vx-acme--dental", name, name, agency, owner)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

fn new(tenant: &TestTenant, resource: Uuid, search: Option<Value>, number: Option<&str>) -> NewNumberOrder {
    NewNumberOrder {
        agency: tenant.agency,
        tenant: tenant.tenant,
        resource,
        carrier: "main".to_owned(),
        search,
        number: number.map(str::to_owned),
    }
}

async fn platform(db: &Db) -> ScopedTx {
    db.begin(&Scope::platform()).await.unwrap()
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn owned(order: NumberOrder, number: &str) -> NumberOrder {
    NumberOrder {
        state: OrderState::Routed,
        number: Some(number.to_owned()),
        carrier_number_id: Some("PN1".to_owned()),
        ..order
    }
}

#[tokio::test]
async fn an_order_is_opened_once_and_everything_about_it_is_kept() {
    let (_test, db, tenant) = one_tenant().await;
    let resource = phone_number(&db, &tenant, "main").await;
    let mut tx = platform(&db).await;
    let wanted = new(&tenant, resource, Some(json!({"country": "US", "areaCode": "404"})), None);
    assert_eq!(number_orders::find(&mut tx, resource).await.unwrap(), None);
    let first = number_orders::open(&mut tx, &wanted).await.unwrap();
    assert_eq!((first.state, first.attempts, first.buys()), (OrderState::Choosing, 0, true));
    assert_eq!(number_orders::open(&mut tx, &wanted).await.unwrap(), first);
    let changed = NumberOrder {
        number: Some("+14045550100".to_owned()),
        tried: vec!["+14045550199".to_owned()],
        state: OrderState::Ordering,
        attempts: 2,
        attempted_at: at("2026-07-01T12:00:00.123456Z"),
        verdict: Some(Verdict::Taken),
        carrier_order_id: Some("order".to_owned()),
        carrier_number_id: Some("PN1".to_owned()),
        connection: Some("TK1".to_owned()),
        problem: Some(OrderProblem { reason: "CarrierRefused".to_owned(), message: "no funds".to_owned() }),
        failures: 3,
        retry_at: at("2026-07-01T12:01:00Z"),
        baseline: Some(vec!["o1".to_owned(), "o2".to_owned()]),
        ..first
    };
    let saved = number_orders::save(&mut tx, &changed).await.unwrap();
    assert_eq!(saved, NumberOrder { fence: changed.fence + 1, ..changed });
    assert_eq!(number_orders::find(&mut tx, resource).await.unwrap(), Some(saved));
}

#[tokio::test]
async fn of_two_writers_one_is_too_late() {
    let (_test, db, tenant) = one_tenant().await;
    let resource = phone_number(&db, &tenant, "main").await;
    let mut tx = platform(&db).await;
    let order = number_orders::open(&mut tx, &new(&tenant, resource, Some(json!({})), None)).await.unwrap();
    tx.commit().await.unwrap();
    let intend = async |number: &str| {
        let mut tx = platform(&db).await;
        let intended = NumberOrder { state: OrderState::Intended, number: Some(number.to_owned()), ..order.clone() };
        let saved = number_orders::save(&mut tx, &intended).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(saved)
    };
    let (one, other) = tokio::join!(intend("+14045550100"), intend("+14045550101"));
    let failed = [&one, &other].into_iter().filter_map(|result| result.as_ref().err()).collect::<Vec<_>>();
    assert!(matches!(failed[..], [StoreError::Conflict { .. }]), "{one:?} {other:?}");
}

async fn two_orders(db: &Db, tenant: &TestTenant) -> Vec<NumberOrder> {
    let mut orders = Vec::new();
    for name in ["one", "two"] {
        let resource = phone_number(db, tenant, name).await;
        let mut tx = platform(db).await;
        orders.push(number_orders::open(&mut tx, &new(tenant, resource, Some(json!({})), None)).await.unwrap());
        tx.commit().await.unwrap();
    }
    orders
}

#[tokio::test]
async fn nobody_orders_what_somebody_else_is_ordering() {
    let (_test, db, tenant) = one_tenant().await;
    let orders = two_orders(&db, &tenant).await;
    let intended = |order: &NumberOrder| NumberOrder {
        state: OrderState::Intended,
        number: Some("+14045550100".to_owned()),
        ..order.clone()
    };
    let mut tx = platform(&db).await;
    let first = number_orders::save(&mut tx, &intended(&orders[0])).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = platform(&db).await;
    let second = number_orders::save(&mut tx, &intended(&orders[1])).await;
    assert!(matches!(second, Err(StoreError::Conflict { .. })), "{second:?}");
    drop(tx);
    // Once it is given back, others may have it.
    let mut tx = platform(&db).await;
    number_orders::save(&mut tx, &NumberOrder { state: OrderState::Released, ..first }).await.unwrap();
    number_orders::save(&mut tx, &intended(&orders[1])).await.unwrap();
}

#[tokio::test]
async fn one_order_without_a_mark_is_under_way_over_a_connection() {
    let (_test, db, tenant) = one_tenant().await;
    let orders = two_orders(&db, &tenant).await;
    let intended =
        |order: &NumberOrder| NumberOrder { state: OrderState::Intended, baseline: Some(Vec::new()), ..order.clone() };
    let mut tx = platform(&db).await;
    let without = NumberOrder { state: OrderState::Intended, ..orders[0].clone() };
    assert!(number_orders::save(&mut tx, &without).await.is_err(), "only such an order may lack its number");
    drop(tx);
    let mut tx = platform(&db).await;
    let first = number_orders::save(&mut tx, &intended(&orders[0])).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = platform(&db).await;
    let second = number_orders::save(&mut tx, &intended(&orders[1])).await;
    assert!(matches!(&second, Err(StoreError::Conflict { what }) if what == number_orders::BASELINE_KEY), "{second:?}");
    drop(tx);
    // Once the carrier has given it an id, it can be told from others.
    let mut tx = platform(&db).await;
    let accepted = NumberOrder { state: OrderState::Ordering, carrier_order_id: Some("order".to_owned()), ..first };
    number_orders::save(&mut tx, &accepted).await.unwrap();
    number_orders::save(&mut tx, &intended(&orders[1])).await.unwrap();
}

#[tokio::test]
async fn a_number_that_was_kept_comes_back_to_whoever_asks_for_the_same() {
    let (_test, db, tenant) = one_tenant().await;
    let resource = phone_number(&db, &tenant, "main").await;
    let wanted = new(&tenant, resource, Some(json!({"country": "US"})), None);
    let mut tx = platform(&db).await;
    let order = owned(number_orders::open(&mut tx, &wanted).await.unwrap(), "+14045550100");
    let kept_at = at("2026-07-01T12:00:00Z");
    let kept = number_orders::save(&mut tx, &NumberOrder { kept_at, ..order }).await.unwrap();
    assert_eq!(number_orders::find(&mut tx, resource).await.unwrap(), None);

    let other = NewNumberOrder { search: Some(json!({"country": "CH"})), ..wanted.clone() };
    let other = number_orders::open(&mut tx, &other).await.unwrap();
    assert_ne!(other.id, kept.id);
    number_orders::save(&mut tx, &NumberOrder { state: OrderState::Failed, ..other }).await.unwrap();

    let again = number_orders::open(&mut tx, &wanted).await.unwrap();
    assert_eq!((again.id, again.number.as_deref(), again.kept_at), (kept.id, Some("+14045550100"), None));
}

#[tokio::test]
async fn what_was_bought_is_counted_and_what_was_found_is_not() {
    let (_test, db, tenant) = one_tenant().await;
    let states = [OrderState::Intended, OrderState::Routed, OrderState::Released, OrderState::Choosing];
    let mut tx = platform(&db).await;
    for (index, state) in states.into_iter().enumerate() {
        let resource = phone_number(&db, &tenant, &format!("bought-{index}")).await;
        let order = number_orders::open(&mut tx, &new(&tenant, resource, Some(json!({})), None)).await.unwrap();
        let order = owned(order, &format!("+1404555010{index}"));
        number_orders::save(&mut tx, &NumberOrder { state, ..order }).await.unwrap();
    }
    let resource = phone_number(&db, &tenant, "found").await;
    let order = number_orders::open(&mut tx, &new(&tenant, resource, None, Some("+14045550109"))).await.unwrap();
    number_orders::save(&mut tx, &owned(order, "+14045550109")).await.unwrap();
    assert_eq!(number_orders::bought(&mut tx, tenant.agency, "main").await.unwrap(), 2);
    assert_eq!(number_orders::bought(&mut tx, tenant.agency, "other").await.unwrap(), 0);
}

#[tokio::test]
async fn an_order_that_says_nothing_about_its_number_is_refused_by_the_database() {
    let (_test, db, tenant) = one_tenant().await;
    let resource = phone_number(&db, &tenant, "main").await;
    let wanted = new(&tenant, resource, Some(json!({})), None);
    let without_number = |order: NumberOrder| NumberOrder { state: OrderState::Intended, ..order };
    let without_id = |order: NumberOrder| NumberOrder { carrier_number_id: None, ..owned(order, "+14045550100") };
    for change in [&without_number as &dyn Fn(NumberOrder) -> NumberOrder, &without_id] {
        let mut tx = platform(&db).await;
        let order = number_orders::open(&mut tx, &wanted).await.unwrap();
        let result = number_orders::save(&mut tx, &change(order)).await;
        assert!(matches!(result, Err(StoreError::Database { .. })), "{result:?}");
    }
    let stranger = new(&tenant, Uuid::now_v7(), None, Some("+14045550100"));
    let mut tx = platform(&db).await;
    let result = number_orders::open(&mut tx, &stranger).await;
    assert!(matches!(result, Err(StoreError::NotFound { .. })), "{result:?}");
}
