//! Twilio's search: some filters exist in the USA and Canada only.

use super::TwilioMarket;
use super::wire::{AvailablePage, complaint, e164};
use crate::market::http::Effect;
use crate::market::{AvailableNumber, MarketError, NumberSearch};

/// Largest page.
const MAX_PAGE: u32 = 1000;

pub(super) async fn run(
    market: &TwilioMarket,
    wanted: &NumberSearch,
    limit: u32,
) -> Result<Vec<AvailableNumber>, MarketError> {
    let page_size = limit.clamp(1, MAX_PAGE).to_string();
    let mut query = vec![("VoiceEnabled", "true".to_owned()), ("PageSize", page_size)];
    query.extend(filters(wanted));
    let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let url = market.url(&["AvailablePhoneNumbers", wanted.country(), "Local.json"], &query);
    let answer = market.http.send(market.get(url), Effect::Reads).await?;
    let page: AvailablePage = answer.success(Effect::Reads, complaint)?.json("the list of numbers for sale")?;
    let prefix = wanted.prefix();
    let mut numbers = Vec::new();
    for found in page.available_phone_numbers {
        let number = e164(&found.phone_number)?;
        let fits = wanted.contains().is_none_or(|part| number.as_str().contains(part))
            && number.as_str().starts_with(&prefix)
            && wanted.region().is_none_or(|region| found.region.as_deref() == Some(region));
        if fits {
            numbers.push(AvailableNumber { number, locality: found.locality, region: found.region });
        }
    }
    numbers.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(numbers)
}

/// The filters of the request. Elsewhere there is only `Contains`, whose `+` stands for the beginning.
fn filters(wanted: &NumberSearch) -> Vec<(&'static str, String)> {
    let own = |text: Option<&str>| text.map(str::to_owned);
    let (area_code, contains, region) = if matches!(wanted.country(), "US" | "CA") {
        (own(wanted.area_code()), own(wanted.contains()), own(wanted.region()))
    } else {
        (None, own(wanted.contains()).or_else(|| wanted.area_code().map(|_| wanted.prefix())), None)
    };
    [("AreaCode", area_code), ("Contains", contains), ("InRegion", region)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(country: &str, area: Option<&str>, contains: Option<&str>, region: Option<&str>) -> String {
        let wanted = NumberSearch::new(country, area, contains, region).unwrap();
        filters(&wanted).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn filters_are_those_that_exist_in_the_country() {
        assert_eq!(sent("US", Some("404"), Some("55"), Some("GA")), "AreaCode=404 Contains=55 InRegion=GA");
        assert_eq!(sent("CH", Some("44"), None, Some("ZH")), "Contains=+4144");
        assert_eq!(sent("CH", Some("44"), Some("668"), None), "Contains=668");
        assert_eq!(sent("GB", None, None, None), "");
    }
}
