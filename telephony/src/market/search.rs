//! Which number is looked for.

use std::str::FromStr as _;

use phonenumber::country;
use phonenumber::metadata::DATABASE;

/// What is looked for. Known to be of a form that every carrier understands.
///
/// ```
/// use voxplane_telephony::market::NumberSearch;
/// let search = NumberSearch::new("US", Some("404"), None, Some("GA")).unwrap();
/// assert_eq!(search.country(), "US");
/// assert!(NumberSearch::new("us", None, None, None).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NumberSearch {
    country: String,
    area_code: Option<String>,
    contains: Option<String>,
    region: Option<String>,
}

/// Why a search cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// Not an ISO 3166-1 code.
    #[error("the country is not a two-letter code in capitals like US")]
    Country,
    /// Not digits.
    #[error(
        "the area code must be 1 to 6 digits, as it follows the country code: without a 0 that is only dialled at home"
    )]
    AreaCode,
    /// Not digits.
    #[error("what the number contains must be 2 to 10 digits")]
    Contains,
    /// Not a subdivision code.
    #[error("the region must be a code of 1 to 3 capitals or digits, like GA for Georgia")]
    Region,
}

impl NumberSearch {
    /// Checks a search: the country (ISO 3166-1 alpha-2), and filters that are left out when `None`: the area code, digits
    /// that are somewhere in the number, and the state or province (the part of ISO 3166-2 after the dash).
    ///
    /// # Errors
    /// [`SearchError`] names the part and its form.
    pub fn new(
        country: &str,
        area_code: Option<&str>,
        contains: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, SearchError> {
        let capitals = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
        if !capitals || country::Id::from_str(country).is_err() {
            return Err(SearchError::Country);
        }
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if area_code.is_some_and(|code| !(1..=6).contains(&code.len()) || !digits(code)) {
            return Err(SearchError::AreaCode);
        }
        if contains.is_some_and(|part| !(2..=10).contains(&part.len()) || !digits(part)) {
            return Err(SearchError::Contains);
        }
        let code = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if region.is_some_and(|region| !(1..=3).contains(&region.len()) || !code(region)) {
            return Err(SearchError::Region);
        }
        let own = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self {
            country: country.to_owned(),
            area_code: own(area_code),
            contains: own(contains),
            region: own(region),
        })
    }

    /// The country.
    #[must_use]
    pub fn country(&self) -> &str {
        &self.country
    }

    /// The area code.
    #[must_use]
    pub fn area_code(&self) -> Option<&str> {
        self.area_code.as_deref()
    }

    /// How the numbers begin: country code and area code, in E.164 form.
    #[must_use]
    pub fn prefix(&self) -> String {
        let code = DATABASE.by_id(&self.country).map(|metadata| metadata.country_code().to_string());
        format!("+{}{}", code.unwrap_or_default(), self.area_code().unwrap_or_default())
    }

    /// Digits that are somewhere in the number.
    #[must_use]
    pub fn contains(&self) -> Option<&str> {
        self.contains.as_deref()
    }

    /// State or province.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_carrier_would_misread_is_refused_with_its_part() {
        let new = NumberSearch::new;
        for country in ["", "U", "us", "USA", "ZZ", "1", "ÄÖ"] {
            assert_eq!(new(country, None, None, None), Err(SearchError::Country), "{country}");
        }
        for code in ["", "4o4", "+1404", "1234567", "*"] {
            assert_eq!(new("US", Some(code), None, None), Err(SearchError::AreaCode), "{code}");
        }
        for part in ["", "1", "55*", "STORM", "12345678901"] {
            assert_eq!(new("US", None, Some(part), None), Err(SearchError::Contains), "{part}");
        }
        for region in ["", "ga", "Georgia", "US-GA"] {
            assert_eq!(new("US", None, None, Some(region)), Err(SearchError::Region), "{region}");
        }
        assert!(new("CH", Some("44"), Some("668"), Some("ZH")).is_ok());
    }
}
