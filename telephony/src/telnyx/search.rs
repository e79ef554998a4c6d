//! Telnyx's search.

use super::TelnyxMarket;
use super::wire::{Available, Data};
use crate::market::{AvailableNumber, MarketError, NumberSearch};

/// Most results that are asked for.
const MAX_RESULTS: u32 = 250;

pub(super) async fn run(
    market: &TelnyxMarket,
    wanted: &NumberSearch,
    limit: u32,
) -> Result<Vec<AvailableNumber>, MarketError> {
    let most = limit.clamp(1, MAX_RESULTS).to_string();
    let mut query = vec![
        ("filter[country_code]", wanted.country()),
        ("filter[phone_number_type]", "local"),
        ("filter[features][]", "voice"),
        // Numbers that only resemble what was asked for.
        ("filter[best_effort]", "false"),
        ("filter[limit]", most.as_str()),
    ];
    query.extend(wanted.area_code().map(|code| ("filter[national_destination_code]", code)));
    query.extend(wanted.contains().map(|part| ("filter[phone_number][contains]", part)));
    query.extend(wanted.region().map(|region| ("filter[administrative_area]", region)));
    let found: Data<Vec<Available>> =
        market.read(&["available_phone_numbers"], &query, "the list of numbers for sale").await?;
    let mut numbers = found.data.into_iter().map(Available::number).collect::<Result<Vec<_>, _>>()?;
    numbers.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(numbers)
}
