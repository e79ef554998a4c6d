//! GoTo's orders of numbers. An order names an area code; GoTo picks the number and keeps no mark of ours.

use reqwest::Method;
use serde_json::json;

use super::GotoConnectMarket;
use super::wire::{Order, OrderStatus};
use crate::market::http::Effect;
use crate::market::{MarketError, NumberMarket as _, NumberSearch, OrderState, Ordered, PlacedOrder};

const ORDERS: &str = "phone-number-orders";

/// Orders a number of an area: `POST /voice-admin/v1/phone-number-orders`, see [`super`].
pub(super) async fn create(market: &GotoConnectMarket, wanted: &NumberSearch) -> Result<Ordered, MarketError> {
    let Some(area_code) = wanted.area_code() else {
        let message = "GoTo orders numbers by area code: give spec.search.areaCode".to_owned();
        return Err(MarketError::Refused { status: 400, code: None, message });
    };
    let order = json!({ "accountKey": market.account_key, "areaCode": area_code });
    let answer = market.ask(Method::POST, &[ORDERS], &[], Some(&order), Effect::Changes).await?;
    Ok(Ordered::Pending { order_id: answer.json::<Order>("the order")?.checked_id()? })
}

/// `GET /voice-admin/v1/phone-number-orders/{id}`, see [`super`].
pub(super) async fn state(market: &GotoConnectMarket, order_id: &str) -> Result<OrderState, MarketError> {
    let order: Order = market.read(&[ORDERS, order_id], &[], "the order").await?;
    Ok(match order.status {
        OrderStatus::Pending => OrderState::Pending,
        OrderStatus::Failed => OrderState::Failed { message: "GoTo says that the order failed".to_owned() },
        OrderStatus::Completed => match order.number()? {
            Some(number) => market.find(&number).await?.map_or(OrderState::Pending, OrderState::Done),
            // Better to wait than to take another number for ours.
            None => OrderState::Pending,
        },
    })
}

/// `GET /voice-admin/v1/phone-number-orders?accountKey=`, see [`super`].
pub(super) async fn list(market: &GotoConnectMarket) -> Result<Vec<PlacedOrder>, MarketError> {
    market.list::<Order>(&[ORDERS], &[], usize::MAX).await?.into_iter().map(Order::placed).collect()
}
