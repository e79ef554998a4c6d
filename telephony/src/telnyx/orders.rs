//! Telnyx's number orders.

use reqwest::Method;
use serde_json::json;

use super::TelnyxMarket;
use super::wire::{Data, Order, OrderStatus, complaint};
use crate::e164::E164;
use crate::market::http::Effect;
use crate::market::{MarketError, NumberMarket as _, OrderState, Ordered, OwnedNumber, Reference};

/// Buys a number. What became of it is asked later even if it succeeded at once, because the answer has not yet the id
/// under which the number can be changed.
/// <https://developers.telnyx.com/api-reference/phone-number-orders/create-a-number-order>
pub(super) async fn create(
    market: &TelnyxMarket,
    number: &E164,
    reference: &Reference,
) -> Result<Ordered, MarketError> {
    let order = json!({
        "phone_numbers": [{ "phone_number": number.as_str() }],
        "customer_reference": reference.as_str(),
    });
    let request = market.request(Method::POST, &["number_orders"], &[]).json(&order);
    let answer = market.http.send(request, Effect::Changes).await?;
    match answer.success(Effect::Changes, complaint) {
        Ok(answer) => Ok(Ordered::Pending { order_id: answer.json::<Data<Order>>("the order")?.data.checked_id()? }),
        Err(MarketError::Refused { message, .. }) if says_taken(&message) => {
            Err(MarketError::Taken { number: number.clone() })
        }
        Err(error) => Err(error),
    }
}

/// <https://developers.telnyx.com/api-reference/phone-number-orders/retrieve-a-number-order>
pub(super) async fn state(market: &TelnyxMarket, order_id: &str) -> Result<OrderState, MarketError> {
    let order: Data<Order> = market.read(&["number_orders", order_id], &[], "the order").await?;
    judge(market, &order.data).await
}

/// The newest order with this reference that did not fail.
pub(super) async fn by_reference(market: &TelnyxMarket, reference: &Reference) -> Result<Option<Ordered>, MarketError> {
    let mut orders = with_reference(market, reference).await?;
    orders.retain(|order| order.status != OrderStatus::Failure);
    let Some(newest) = orders.into_iter().max_by(|a, b| a.created_at.cmp(&b.created_at)) else { return Ok(None) };
    Ok(match judge(market, &newest).await? {
        OrderState::Done(owned) => Some(Ordered::Done(owned)),
        OrderState::Pending | OrderState::Failed { .. } => Some(Ordered::Pending { order_id: newest.checked_id()? }),
    })
}

/// The numbers of succeeded orders with this reference that are in the account.
pub(super) async fn delivered(market: &TelnyxMarket, reference: &Reference) -> Result<Vec<OwnedNumber>, MarketError> {
    let mut numbers = Vec::new();
    for order in with_reference(market, reference).await? {
        if order.status == OrderStatus::Success
            && let Some(owned) = in_account(market, &order).await?
        {
            numbers.push(owned);
        }
    }
    // A number that was sold, given back and bought again for something else is not ours any more.
    numbers.retain(|owned| owned.carries(reference));
    Ok(numbers)
}

/// <https://developers.telnyx.com/api-reference/phone-number-orders/list-number-orders>
async fn with_reference(market: &TelnyxMarket, reference: &Reference) -> Result<Vec<Order>, MarketError> {
    let filter = ("filter[customer_reference]", reference.as_str());
    let mut orders: Vec<Order> = market.list(&["number_orders"], filter).await?;
    orders.retain(|order| order.customer_reference.as_deref() == Some(reference.as_str()));
    Ok(orders)
}

async fn judge(market: &TelnyxMarket, order: &Order) -> Result<OrderState, MarketError> {
    Ok(match order.status {
        OrderStatus::Pending => OrderState::Pending,
        OrderStatus::Success => in_account(market, order).await?.map_or(OrderState::Pending, OrderState::Done),
        OrderStatus::Failure => OrderState::Failed { message: "Telnyx says that the order failed".to_owned() },
    })
}

/// The order's number, with the order's reference if it carries none.
async fn in_account(market: &TelnyxMarket, order: &Order) -> Result<Option<OwnedNumber>, MarketError> {
    let Some(owned) = market.find(&order.number()?).await? else { return Ok(None) };
    let reference = owned.reference.filter(|own| !own.is_empty()).or_else(|| order.customer_reference.clone());
    Ok(Some(OwnedNumber { reference, ..owned }))
}

/// No code is documented for a number that somebody else bought meanwhile, so the words decide. If they change, such a
/// refusal is an ordinary one.
fn says_taken(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("number") && ["unavailable", "not available", "already"].iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_about_the_number_say_that_it_is_taken() {
        assert!(says_taken("Phone number unavailable: it was bought"));
        assert!(says_taken("the number is already in an order"));
        assert!(!says_taken("This feature is not available in your plan"));
        assert!(!says_taken("Invalid phone number"));
    }
}
